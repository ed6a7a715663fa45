"""A connection to the MQTT door that comes back by itself, served by one thread."""

from __future__ import annotations

import contextlib
import logging
import random
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Protocol

from penstock.client.dialling import Greeted, dial, receive, send_some
from penstock.client.packets import (
    DISCONNECT,
    GOODBYE,
    PINGREQ,
    SUBACK,
    Packet,
    subscribe,
    unsubscribe,
)
from penstock.client.settings import ClientSettings
from penstock.client.whereabouts import Whereabouts
from penstock.core.errors import Forbidden, NotConnected, PenstockError

_log = logging.getLogger(__name__)

#: Most bytes that wait to go out.
_MOST_OUT = 1_048_576
#: First pause before connecting again, in seconds; it doubles up to `max_retry_s`.
_FIRST_RETRY_S = 0.1
#: Reason of a server whose queue for us is full.
_QUOTA_EXCEEDED = 0x97
#: Pause between two looks at what is to be done, in seconds.
_TICK_S = 0.25


class State(StrEnum):
    """How a connection stands."""

    #: Not asked for yet.
    NEW = "new"
    #: Connected; what is produced goes out at once.
    ONLINE = "online"
    #: Not connected; what is produced waits, and connecting is tried again and again.
    OFFLINE = "offline"
    CLOSED = "closed"


class Handler(Protocol):
    """What goes over a line. Called by its thread only, but for `is_done`."""

    def opened(self, window: int) -> None:
        """Begin anew: the line is open, and the server takes `window` messages at once."""
        ...

    def pump(self) -> bytes:
        """Return packets to be sent now; called again soon, and after `Line.wake`."""
        ...

    def rest_s(self) -> float:
        """Return how long to leave `pump` alone although something waits, in seconds."""
        ...

    def take(self, packets: Iterable[Packet]) -> None:
        """Handle packets that came together: PUBLISH and PUBACK."""
        ...

    def tick(self) -> None:
        """Do what is to be done now and then, also while the line is not open."""
        ...

    def is_done(self) -> bool:
        """Tell whether everything that waits is sent and acknowledged."""
        ...


class Line:
    """Keeps one connection.

    Args:
        settings: Of the client.
        whereabouts: Knows the door.
        client_id: MQTT client id.
        handler: What goes over it.
        keeps_session: Whether the server keeps messages while the client is away.
        receives: Whether it is for messages from the server, whose offsets are then asked for.
        on_state: Called by the thread with each new state and why; quick, and never raises.
    """

    def __init__(
        self,
        settings: ClientSettings,
        whereabouts: Whereabouts,
        client_id: str,
        handler: Handler,
        *,
        keeps_session: bool,
        receives: bool = False,
        on_state: Callable[[State, str], None],
    ) -> None:
        self.state = State.NEW
        self.problem = ""
        self.connects = 0
        #: The last connection on which the server has answered all that was subscribed to.
        self.subscribed = 0
        #: How often messages for this client may have been lost: its queue at the platform was
        #: full, or the platform had forgotten it.
        self.gaps = 0
        self._settings = settings
        self._whereabouts = whereabouts
        self._client_id = client_id
        self._handler = handler
        self._keeps_session = keeps_session
        self._receives = receives
        self._on_state = on_state
        self._filters: dict[str, None] = {}
        self._answers: dict[str, int] = {}
        self._asking: dict[int, Sequence[str]] = {}
        self._to_ask: list[str] = []
        self._to_drop: list[str] = []
        self._next_id = 0
        self._changed = threading.Condition()
        self._stop_at_s: float | None = None
        self._sleeping = False
        #: A pair: what is written to the first wakes whoever waits for the second.
        self._bell: tuple[socket.socket, socket.socket] | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Connect, in the background. Safe to call again."""
        with self._changed:
            if self._thread is not None:
                return
            self._bell = socket.socketpair()
            for end in self._bell:
                end.setblocking(False)
            self._thread = threading.Thread(
                target=self._run,
                args=self._bell[1:],
                name=f"penstock {self._client_id}",
                daemon=True,
            )
            self._thread.start()

    def wake(self) -> None:
        """Let the thread look at once whether there is something to be done."""
        if self._sleeping:
            self._ring()

    def subscribe(self, filters: Iterable[str], timeout_s: float) -> None:
        """Subscribe, now and after each reconnection; wait for the answer.

        Raises:
            Forbidden: The server refuses a filter.
            NotConnected: There was no answer in time; it goes on being tried.
        """
        wanted = list(dict.fromkeys(filters))
        self.start()
        with self._changed:
            for one in wanted:
                self._filters[one] = None
                self._answers.pop(one, None)
            self._to_ask += wanted
            self._ring()
            self._changed.wait_for(lambda: all(f in self._answers for f in wanted), timeout_s)
            answers = {one: self._answers.get(one) for one in wanted}
        refused = [one for one, reason in answers.items() if reason is not None and reason >= 0x80]
        if refused:
            with self._changed:
                for one in refused:
                    self._filters.pop(one, None)
            msg = (
                f"the platform does not let this client receive {', '.join(refused)}; ask an agent "
                "of that system for a grant, and check the key (key, PENSTOCK_KEY)"
            )
            raise Forbidden(msg)
        if any(reason is None for reason in answers.values()):
            raise NotConnected(f"not subscribed in {timeout_s:g} s: {self.problem or 'no answer'}")

    def unsubscribe(self, filters: Iterable[str]) -> None:
        """Receive these no longer; does not wait."""
        with self._changed:
            for one in filters:
                self._filters.pop(one, None)
                self._to_drop.append(one)
        self._ring()

    def wait_online(self, timeout_s: float) -> bool:
        """Wait until it is connected and return whether it is."""
        self.start()
        with self._changed:
            return self._changed.wait_for(lambda: self.state is State.ONLINE, timeout_s)

    def close(self, timeout_s: float = 0.0) -> None:
        """Send what waits, for at most so long, say goodbye and end. Safe to call twice."""
        self._stop_at_s = time.monotonic() + timeout_s
        self._ring()
        if self._thread is not None:
            self._thread.join(timeout_s + self._settings.timeout_s)
        self._set(State.CLOSED)
        for end in self._bell or ():
            end.close()

    # The thread.

    def _run(self, bell: socket.socket) -> None:
        failures = 0
        while not self._must_end():
            opened_s = 0.0
            try:
                found = dial(
                    self._settings,
                    self._whereabouts,
                    self._client_id,
                    keeps_session=self._keeps_session,
                    wants_offsets=self._receives,
                )
                opened_s = time.monotonic()
                with found.link:
                    self._opened(found)
                    self._serve(found, bell)
            except (PenstockError, OSError) as error:
                self._set(State.OFFLINE, str(error) or type(error).__name__)
            except Exception as error:
                _log.exception("the connection to Penstock broke")
                self._set(State.OFFLINE, f"a fault of this client: {error!r}")
            else:
                return
            self._whereabouts.forget()
            steady = opened_s and time.monotonic() - opened_s > 5.0
            failures = 0 if steady else min(failures + 1, 20)
            most = min(_FIRST_RETRY_S * 2**failures, self._settings.max_retry_s)
            self._pause(random.uniform(most / 2, most))  # noqa: S311

    def _must_end(self) -> bool:
        return self._stop_at_s is not None and (
            time.monotonic() >= self._stop_at_s or self._handler.is_done()
        )

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._must_end():
            self._handler.tick()
            time.sleep(min(left, 0.05))

    def _opened(self, found: Greeted) -> None:
        self._handler.opened(min(found.window, self._settings.window))
        with self._changed:
            self._asking.clear()
            self._to_ask = list(self._filters)
            self.gaps += bool(self.connects and self._filters and not found.session_present)
            self.connects += 1
        self._set(State.ONLINE)

    def _serve(self, found: Greeted, bell: socket.socket) -> None:
        """Send and receive until told to end.

        Raises:
            NotConnected: The other side is gone.
        """
        link, cutter = found.link, found.cutter
        out = bytearray()
        heard_s = sent_s = time.monotonic()
        self._hear(found.early)
        with selectors.DefaultSelector() as selector:
            selector.register(bell, selectors.EVENT_READ)
            selector.register(link, selectors.EVENT_READ)
            while True:
                now_s = time.monotonic()
                if self._must_end():
                    with contextlib.suppress(OSError):
                        link.setblocking(True)
                        link.settimeout(1.0)
                        link.sendall(bytes(out) + GOODBYE)
                    return
                self._handler.tick()
                if len(out) < _MOST_OUT:
                    out += self._requests() + self._handler.pump()
                if not out and now_s - min(heard_s, sent_s) > found.alive_s and now_s - sent_s > 1:
                    out += PINGREQ
                if now_s - heard_s > found.alive_s + self._settings.timeout_s:
                    raise NotConnected(f"the MQTT door was silent for {now_s - heard_s:.0f} s")
                if out and (sent := send_some(link, out)):
                    del out[:sent]
                    sent_s = now_s
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if out else 0)
                selector.modify(link, events)
                rest_s = self._handler.rest_s()
                self._sleeping = rest_s <= 0
                # Whoever adds something from here on wakes us; what was added before is seen here.
                more = b"" if out else self._requests() + self._handler.pump()
                out += more
                ready = selector.select(0 if more else rest_s or _TICK_S)
                self._sleeping = False
                for key, _ in ready:
                    if key.fileobj is bell:
                        with contextlib.suppress(OSError):
                            bell.recv(4096)
                if data := receive(link):
                    heard_s = time.monotonic()
                    self._hear(cutter.feed(data))

    def _hear(self, packets: Iterable[Packet]) -> None:
        ours: list[Packet] = []
        for packet in packets:
            if packet.kind == DISCONNECT:
                self.gaps += packet.reason == _QUOTA_EXCEEDED
                raise NotConnected(f"the MQTT door ended the connection: {packet.why}")
            if packet.kind == SUBACK:
                with self._changed:
                    for one, reason in zip(
                        self._asking.pop(packet.packet_id, ()), packet.payload, strict=False
                    ):
                        self._answers[one] = reason
                    if not self._asking and not self._to_ask:
                        self.subscribed = self.connects
                    self._changed.notify_all()
            else:
                ours.append(packet)
        if ours:
            self._handler.take(ours)

    def _requests(self) -> bytes:
        if not self._to_ask and not self._to_drop:
            return b""
        with self._changed:
            found = b""
            if self._to_ask:
                self._next_id = self._next_id % 1000 + 1
                # The identifiers of messages begin above these.
                self._asking[self._next_id] = self._to_ask
                found += subscribe(self._next_id, self._to_ask)
                self._to_ask = []
            if self._to_drop:
                self._next_id = self._next_id % 1000 + 1
                found += unsubscribe(self._next_id, self._to_drop)
                self._to_drop = []
            return found

    def _ring(self) -> None:
        self._sleeping = False
        if self._bell is not None:
            with contextlib.suppress(OSError):
                self._bell[0].send(b"x")

    def _set(self, state: State, problem: str = "") -> None:
        with self._changed:
            if (state, problem) == (self.state, self.problem):
                return
            self.state, self.problem = state, problem
            self._changed.notify_all()
        try:
            self._on_state(state, problem)
        except Exception:
            _log.exception("on_state failed")
