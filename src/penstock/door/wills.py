"""A will on its way: into the log first, to subscribers then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.core.log import MQTT_3_1_1
from penstock.door.commit import Entry
from penstock.door.encoding import encode_publish
from penstock.door.intake import Run
from penstock.door.message import Message
from penstock.door.packets import Publish, Will
from penstock.door.permissions import client_of

if TYPE_CHECKING:
    from penstock.door.broker import Broker
    from penstock.door.session import Session


def logged_will(broker: Broker, session: Session, will: Will) -> Entry:
    """Return what brings a session's will into the log and to subscribers."""
    message = Message(will, session.client, broker.clock.monotonic_s())
    # It is logged as a QoS 0 packet, since nobody acknowledges it.
    packet = encode_publish(Publish(will.topic, will.payload, 0, will.retain), MQTT_3_1_1)
    run = Run(packet, len(packet).to_bytes(4, "little"), 1, b"", 0, [message])
    return Entry(_SentWill(broker, session, will), client_of(session.client), MQTT_3_1_1, run)


class _SentWill:
    """Passes on a will once it is on disk."""

    def __init__(self, broker: Broker, session: Session, will: Will) -> None:
        self._broker = broker
        self._session = session
        self._will = will

    def settle(self, run: Run) -> None:
        """Give it to subscribers, and forget it."""
        self._broker.settle(run)
        self._broker.will_sent(self._session, self._will)
