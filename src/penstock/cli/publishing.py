"""Publishing messages of the log to any MQTT broker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.log.look import LogMessage
    from penstock.simulators.mqtt import Broker

#: Most messages on their way to the broker.
WINDOW = 1000
#: Seconds that the broker may take to accept the connection, or to acknowledge.
PATIENCE_S = 30.0


def publish_all(broker: Broker, messages: Iterable[LogMessage], qos: int) -> int:
    """Publish the messages in their order, wait until all are acknowledged, return how many.

    Raises:
        NotConnected: The broker does not answer, refuses the client, or stops acknowledging.
    """
    from collections import deque

    import paho.mqtt.client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(broker.username, broker.password)
    client.max_inflight_messages_set(WINDOW)
    _connect(client, broker)
    sent = 0
    waiting: deque[paho.MQTTMessageInfo] = deque()
    try:
        for message in messages:
            waiting.append(client.publish(message.topic, message.payload, qos, message.retain))
            sent += 1
            if len(waiting) >= WINDOW:
                _wait(waiting.popleft(), broker)
        for info in waiting:
            _wait(info, broker)
    finally:
        client.disconnect()
        client.loop_stop()
    return sent


def _connect(client: object, broker: Broker) -> None:
    import threading

    import paho.mqtt.client as paho

    from penstock.core.errors import NotConnected

    assert isinstance(client, paho.Client)
    answered = threading.Event()
    refusal: list[str] = []

    def on_connect(_: object, __: object, ___: object, reason: object, ____: object) -> None:
        if getattr(reason, "is_failure", False):
            refusal.append(str(reason))
        answered.set()

    client.on_connect = on_connect
    try:
        client.connect(broker.host, broker.port)
    except OSError as error:
        msg = f"cannot reach the broker at {broker}: {error}; check the address given with --to"
        raise NotConnected(msg) from error
    client.loop_start()
    if not answered.wait(PATIENCE_S):
        refusal.append(f"it did not answer within {PATIENCE_S:g} s")
    if refusal:
        client.loop_stop()
        msg = f"the broker at {broker} refuses: {refusal[0]}; see --username and --password"
        raise NotConnected(msg)


def _wait(info: object, broker: Broker) -> None:
    import paho.mqtt.client as paho

    from penstock.core.errors import NotConnected

    assert isinstance(info, paho.MQTTMessageInfo)
    info.wait_for_publish(PATIENCE_S)
    if not info.is_published():
        msg = f"the broker at {broker} stopped acknowledging; repeat the replay, it is harmless"
        raise NotConnected(msg)
