"""One client's connection: bytes in, bytes out, and when to stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, cast

from penstock.core.log import MQTT_3_1_1, MQTT_5_0
from penstock.core.shares import network
from penstock.door.aliases import NO_ALIASES
from penstock.door.callers import Caller, caller_of
from penstock.door.commit import Entry
from penstock.door.control import handle
from penstock.door.decoding import decode
from penstock.door.delivery import Delivery, hand_over
from penstock.door.encoding import goodbye
from penstock.door.intake import Intake, Run, frame
from penstock.door.layers import GOODBYE_S
from penstock.door.mistakes import first_words
from penstock.door.outlet import Outlet
from penstock.door.parting import Goodbye
from penstock.door.properties import Kind
from penstock.door.quotas import Allowance
from penstock.door.reasons import ProtocolViolation, Reason, violation

if TYPE_CHECKING:
    from penstock.door.auth import Visitor
    from penstock.door.door import Door
    from penstock.door.presence import Arrival
    from penstock.door.session import Session

_log = logging.getLogger(__name__)

_PUBLISH = Kind.PUBLISH << 4
_CONNECT = Kind.CONNECT << 4
#: Largest CONNECT: a will of 64 KiB, and as much again for all the rest. Who is not in yet gets
#: little memory.
MAX_CONNECT_BYTES = 131_072


class Phase(Enum):
    """How far a connection got."""

    NEW = "new"
    GREETING = "greeting"
    OPEN = "open"
    CLOSED = "closed"


class Connection(asyncio.Protocol):
    """Takes what a client sends and gives it what it gets; is a session's `Link`."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.phase = Phase.NEW
        self.protocol = MQTT_3_1_1
        self.who: Visitor | None = None
        self.session: Session | None = None
        self.intake: Intake | None = None
        self.writable = True
        self.receive_maximum = door.settings.max_inflight
        self.packet_limit = 1 << 30
        self.tells_offsets = False
        self.keep_alive_s = 0.0
        #: Whose the address at the other end is.
        self.home = ""
        self.opened_at_s = self.heard_at_s = door.clock.monotonic_s()
        #: Whether a CONNECT came that could be read, so that a CONNACK can answer it.
        self.heard_connect = False
        #: Whether something came after our goodbye.
        self.still_speaks = False
        self.aliases = NO_ALIASES
        self._arrival: Arrival | None = None
        self._transport: asyncio.Transport | None = None
        self._outlet: Outlet | None = None
        self._rest: list[bytes] = []
        self._rest_bytes = 0
        self._wanted_bytes = 0
        #: Whether others have their turn before the client's next packet.
        self._rests = False
        self._unacknowledged = 0
        #: The session, also after it was left: its last messages are still on their way.
        self._sender: Session | None = None
        #: Who pays for this connection, until its socket is closed.
        self._payer: Allowance | None = None
        self._held: set[str] = set()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless the door is full."""
        self._transport = cast("asyncio.Transport", transport)
        self._outlet = Outlet(self._transport, self.door.loop, self.door.counts, self._written)
        peer = transport.get_extra_info("peername")
        self.home = network(str(peer[0])) if peer else ""
        self._transport.set_write_buffer_limits(self.door.settings.max_outbound_bytes // 8)
        if not self.door.admit(self):
            self.phase = Phase.CLOSED
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        """End; the will is published if the client did not say goodbye."""
        was_open = self.phase is Phase.OPEN
        while self._rests and self.phase is Phase.OPEN:  # each round takes a packet at least
            self._rests = False
            self.go_on()
        if was_open:
            self.phase = Phase.CLOSED
        self._leave(Reason.UNSPECIFIED_ERROR, with_will=True)
        self._transport = self._outlet = None
        if self._payer is not None:
            self._payer.connections.take(-1)
            self._payer = None
        self.door.dismiss(self)

    def pause_writing(self) -> None:
        """Take note that the client reads too slowly."""
        self.writable = False

    def resume_writing(self) -> None:
        """Go on with what waited for the client."""
        self.writable = True
        if self.session is not None:
            self.session.pump()

    def data_received(self, data: bytes) -> None:
        """Take what came; incomplete packets wait for the rest."""
        if self.phase is Phase.CLOSED:
            self.still_speaks = True
            return
        self.heard_at_s = self.door.clock.monotonic_s()
        self.door.counts.received_bytes += len(data)
        if self._rest or self._rests or self.phase is Phase.GREETING:
            self._rest.append(data)
            self._rest_bytes += len(data)
            waits = self._rests or self.phase is Phase.GREETING
            if waits or self._rest_bytes < self._wanted_bytes:
                return
            data = b"".join(self._rest)
            self._rest = []
        self._feed(data)

    # What the session and the handlers call.

    def send(self, packet: bytes) -> None:
        """Queue bytes for the client; one that never reads is cut off."""
        if self._outlet is not None and self.phase is not Phase.CLOSED:
            self._outlet.put(packet)

    def answer(self, packet: bytes, deliveries: Sequence[Delivery] = ()) -> None:
        """Send once all that was noted until now is on disk; at once if it is.

        Who reads in the log what came before a subscription finds it there: the answer comes
        behind the messages whose ways were decided without it.

        Args:
            packet: What to send.
            deliveries: What sessions get after it.
        """
        commit = self.door.commit
        has_company = deliveries or self.tells_offsets
        if self.door.broker.keeper.is_unsaved or (has_company and commit.is_busy):
            run = Run(b"", b"", 0, packet, 0, deliveries=list(deliveries))
            commit.add(Entry(self, "", self.protocol, run))
        else:
            self.send(packet)
            hand_over(deliveries)

    def welcome(self, connack: bytes) -> None:
        """Send the CONNACK before all else, once the session is on disk; then what waited."""
        if self.door.broker.keeper.is_unsaved:
            if self._outlet is not None:
                self._outlet.seal()
            run = Run(b"", b"", 0, connack, 0)
            self.door.commit.add(Entry(Welcome(self), "", self.protocol, run))
        else:
            self.unseal(connack)

    def unseal(self, connack: bytes) -> None:
        """Send the CONNACK, and let out what was to come behind it."""
        if self._outlet is not None and self.session is not None:
            self._outlet.unseal(connack)
            self.session.pump()

    def _written(self, unread: int) -> None:
        """Cut off a client that never reads."""
        is_slow = not self.writable and self.phase is not Phase.CLOSED
        if is_slow and unread > self.door.settings.max_outbound_bytes:
            self.end(Reason.QUOTA_EXCEEDED, f"{unread} bytes wait unread")

    def end(self, reason: Reason, why: str, *, with_will: bool = True) -> None:
        """Say goodbye as far as the protocol can, and close."""
        if self.phase is Phase.CLOSED:
            return
        _log.debug("Ending %s: %s (%s)", self.who or "a connection", why, reason.name)
        outlet = self._outlet
        is_open = self.phase is Phase.OPEN and outlet is not None and not outlet.is_sealed
        says_why = self.protocol == MQTT_5_0 and is_open
        self.phase = Phase.CLOSED
        self.door.greeted(self)
        self._leave(reason, with_will=with_will)
        transport = self._transport
        if transport is None or outlet is None or transport.is_closing():
            return
        outlet.close()
        if says_why:
            transport.write(goodbye(reason, why, self.packet_limit))
        # Closing with unread input would reset the connection and with it our last words, so
        # only our side is closed, and what still comes is thrown away for a moment.
        try:
            transport.write_eof()
        except OSError:  # the client has cut the connection, and we are about to hear of it
            transport.abort()
            return
        transport.resume_reading()
        Goodbye(transport, self, self.door).begin()

    def cut(self) -> None:
        """Close at once, whatever was not read."""
        if self._transport is not None:
            self._transport.abort()

    def charge(self, payer: Allowance) -> None:
        """Let an account pay for this connection."""
        payer.connections.take()
        self._payer = payer

    def close(self, reason: int) -> None:
        """Close after the client's own goodbye; its will is due unless all is well (3.14.4)."""
        self._pass_on()  # what came before the goodbye is logged before it
        transport = self._transport
        self.phase = Phase.CLOSED
        self._leave(reason, with_will=reason != Reason.SUCCESS)
        if transport is not None and self._outlet is not None:
            self._outlet.close()
            transport.close()
            self.door.loop.call_later(GOODBYE_S, transport.abort)

    def hold(self, why: str, *, on: bool) -> None:
        """Stop reading from the client for a reason, or drop that reason."""
        before = bool(self._held)
        (self._held.add if on else self._held.discard)(why)
        transport = self._transport
        if transport is None or self.phase is Phase.CLOSED or before is bool(self._held):
            return
        if transport.is_closing():
            return
        if self._held:
            transport.pause_reading()
        else:
            self.heard_at_s = self.door.clock.monotonic_s()
            transport.resume_reading()

    def begin_greeting(self) -> None:
        """Wait for the password check; what else comes is kept."""
        self.phase = Phase.GREETING
        self.hold("greeting", on=True)

    def rest(self) -> None:
        """Let others have their turn first: the client may have asked for much work."""
        if not self._rests:
            self._rests = True
            self.hold("turn", on=True)
            self.door.loop.call_soon(self._resume)

    def _resume(self) -> None:
        self._rests = False
        self.hold("turn", on=False)
        self.go_on()

    def open(self, session: Session, arrival: Arrival) -> None:
        """Become the link of a session."""
        self.phase = Phase.OPEN
        self.session = self._sender = session
        session.attach(self)
        self._arrival = arrival
        self.door.presence.came(arrival)
        self.door.greeted(self)

    @property
    def address(self) -> str:
        """Where the client is, as `HOST:PORT`."""
        peer = self._transport.get_extra_info("peername") if self._transport else None
        if not isinstance(peer, tuple):
            return ""
        host = f"[{peer[0]}]" if ":" in peer[0] else peer[0]
        return f"{host}:{peer[1]}"

    @property
    def caller(self) -> Caller:
        """What the transport knows of the client."""
        return Caller() if self._transport is None else caller_of(self._transport)

    @property
    def is_closed(self) -> bool:
        """Whether it ended, whoever ended it."""
        return self.phase is Phase.CLOSED or self._transport is None

    @property
    def is_gone(self) -> bool:
        """Whether its socket is closed."""
        return self._transport is None

    @property
    def is_held(self) -> bool:
        """Whether reading from the client is stopped."""
        return bool(self._held)

    def go_on(self) -> None:
        """Take what came while the client waited."""
        data, self._rest = b"".join(self._rest), []
        if data and self.phase is Phase.OPEN:
            self._feed(data)

    def settle(self, run: Run) -> None:
        """Answer a run that is on disk, and pass on what others want."""
        self._unacknowledged -= run.acknowledged
        if run.answers:
            self.send(run.answers)
        self.door.broker.settle(run)

    # Inside.

    def farewell(self, reason: int) -> None:
        """Tell the platform that the client is gone, unless it knows."""
        arrival, self._arrival = self._arrival, None
        if arrival is not None:
            self.door.presence.left(arrival, reason)

    def _leave(self, reason: int, *, with_will: bool) -> None:
        session, self.session = self.session, None
        if session is not None:
            self.door.broker.leave(session, self, with_will=with_will)
            self.farewell(reason)

    def _feed(self, data: bytes) -> None:
        at = 0
        size = len(data)
        try:
            at = self._walk(data, size)
        except ProtocolViolation as problem:
            self.door.counts.violations += 1
            self._pass_on()
            self.door.refuse(self, problem)
            return
        self._pass_on()
        if at < size and self.phase is not Phase.CLOSED:
            self._rest = [data[at:] if at else data]
            self._rest_bytes = size - at

    def _walk(self, data: bytes, size: int) -> int:
        """Handle the packets in `data` up to the first that is not all there."""
        at = 0
        max_bytes = self.door.settings.max_packet_bytes
        if self.phase is Phase.NEW and data[0] != _CONNECT:
            words = first_words(data)
            self.door.mistakes.report("mqtt", f"{self.caller.who} spoke {words} where MQTT is due")
            raise violation(f"the first packet must be CONNECT; this is {words}")
        self._wanted_bytes = 0
        while at < size and self.phase in (Phase.NEW, Phase.OPEN) and not self._rests:
            if self.intake is not None and data[at] & 0xF0 == _PUBLISH:
                at = self.intake.take(data, at, size, self.heard_at_s)
                self._check_window(self.intake)
                if at == size:
                    break
            is_new = self.phase is Phase.NEW
            most = min(max_bytes, MAX_CONNECT_BYTES) if is_new else max_bytes
            body, stop = frame(data, at, size, most)
            if stop > size:
                self._wanted_bytes = stop - at
                break
            packet = decode(data[at], data[body:stop], self.protocol)
            at = stop
            handle(self, packet)
        return at

    def _pass_on(self) -> None:
        """Hand over what was taken from the client to the log."""
        intake = self.intake
        if intake is None or self.who is None:
            return
        run = intake.harvest()
        denied, topic = intake.take_denied()
        if denied:
            self.door.counts.denied += denied
            self.door.mistakes.report("denied", f"{self.who.label} may not publish to {topic!r}")
        if run is None:
            return
        self.door.counts.duplicates += intake.take_duplicates()
        self._unacknowledged += run.acknowledged
        door = self.door
        door.commit.add(Entry(self, self.who.client, self.protocol, run, self._sender))

    def _check_window(self, intake: Intake) -> None:
        """Check that the client waits for answers (section 3.3.4).

        This is before anything that came behind the messages is looked at: what that acknowledges
        was open when the client sent them.
        """
        if self.protocol != MQTT_5_0 or self.session is None:
            return
        open_ids = self._unacknowledged + intake.unacknowledged + len(self.session.inbound)
        most = self.door.settings.receive_maximum
        if open_ids > most:
            raise ProtocolViolation(
                Reason.RECEIVE_MAXIMUM_EXCEEDED,
                f"{open_ids} messages are unacknowledged; the receive maximum is {most}",
            )


class Welcome:
    """Lets a client in when its session is on disk."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def settle(self, run: Run) -> None:
        """Send the CONNACK."""
        self._connection.unseal(run.answers)
