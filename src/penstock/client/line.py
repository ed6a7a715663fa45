"""A connection to the MQTT door that comes back by itself, served by one thread."""

from __future__ import annotations

import contextlib
import logging
import random
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Protocol

from penstock.client.packets import (
    CONNACK,
    DISCONNECT,
    GOODBYE,
    PINGREQ,
    PUBLISH,
    RECEIVE_MAXIMUM,
    SERVER_KEEP_ALIVE,
    SUBACK,
    Cutter,
    Packet,
    connect,
    subscribe,
    unsubscribe,
)
from penstock.client.settings import ClientSettings
from penstock.client.web import tls_context
from penstock.client.whereabouts import Whereabouts
from penstock.core.errors import Forbidden, NotConnected, PenstockError

_log = logging.getLogger(__name__)

#: Bytes taken from the network at once, and the most that wait to go out.
_PIECE = 262_144
_MOST_OUT = 1_048_576
#: First pause before connecting again, in seconds; it doubles up to `max_retry_s`.
_FIRST_RETRY_S = 0.1
#: Unacknowledged messages that the server may send us; it has a limit of its own too.
_RECEIVE_MAXIMUM = 1000
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
        on_state: Callable[[State, str], None],
    ) -> None:
        self.state = State.NEW
        self.problem = ""
        self.connects = 0
        #: How often messages for this client may have been lost: its queue at the platform was
        #: full, or the platform had forgotten it.
        self.gaps = 0
        self._settings = settings
        self._whereabouts = whereabouts
        self._client_id = client_id
        self._handler = handler
        self._keeps_session = keeps_session
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
                link = self._open()
                opened_s = time.monotonic()
                with link:
                    self._serve(link, bell)
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

    def _open(self) -> socket.socket:
        scheme, host, port = self._whereabouts.door()
        settings = self._settings
        try:
            link = socket.create_connection((host, port), settings.timeout_s)
        except OSError as error:
            msg = (
                f"cannot reach the MQTT door at {host}:{port}: {error.strerror or error}; is "
                "Penstock up, and may this machine connect to it?"
            )
            raise NotConnected(msg) from error
        try:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if scheme == "mqtts":
                link = tls_context(settings.ca_file).wrap_socket(link, server_hostname=host)
            self._greet(link)
            link.setblocking(False)
        except ssl.SSLError as error:
            link.close()
            msg = f"no encrypted connection to {host}:{port}: {error}; see ca_file"
            raise NotConnected(msg) from error
        except BaseException:
            link.close()
            raise
        return link

    def _greet(self, link: socket.socket) -> None:
        settings = self._settings
        link.sendall(
            connect(
                self._client_id,
                username=settings.name if settings.key else "",
                password=settings.key,
                keep_alive_s=settings.keep_alive_s,
                session_expiry_s=settings.session_expiry_s if self._keeps_session else 0,
                receive_maximum=_RECEIVE_MAXIMUM,
                clean_start=not self._keeps_session,
            )
        )
        self._cutter = Cutter()
        self._early: list[Packet] = []
        answer: Packet | None = None
        while answer is None:
            data = link.recv(_PIECE)
            if not data:
                raise NotConnected("the MQTT door closed the connection at once; see its log")
            for packet in self._cutter.feed(data):
                if answer is None:
                    answer = packet
                else:
                    self._early.append(packet)
        if answer.kind != CONNACK or answer.reason >= 0x80:
            hint = "; check the key (key, PENSTOCK_KEY)" if answer.reason in {0x86, 0x87} else ""
            raise NotConnected(f"the MQTT door does not let us in: {answer.why}{hint}")
        window = answer.properties.get(RECEIVE_MAXIMUM, 65_535)
        alive = answer.properties.get(SERVER_KEEP_ALIVE, settings.keep_alive_s)
        self._alive_s = min(settings.keep_alive_s, int(alive) or settings.keep_alive_s) * 0.8
        self._handler.opened(min(int(window), settings.window))
        with self._changed:
            self._asking.clear()
            self._to_ask = list(self._filters)
            self.gaps += bool(self.connects and self._filters and not answer.session_present)
            self.connects += 1
        self._set(State.ONLINE)

    def _serve(self, link: socket.socket, bell: socket.socket) -> None:
        """Send and receive until told to end.

        Raises:
            NotConnected: The other side is gone.
        """
        out = bytearray()
        heard_s = sent_s = time.monotonic()
        self._hear(self._early)
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
                if not out and now_s - min(heard_s, sent_s) > self._alive_s and now_s - sent_s > 1:
                    out += PINGREQ
                if now_s - heard_s > self._alive_s + self._settings.timeout_s:
                    raise NotConnected(f"the MQTT door was silent for {now_s - heard_s:.0f} s")
                if out and (sent := _send(link, out)):
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
                if data := _receive(link):
                    heard_s = time.monotonic()
                    self._hear(self._cutter.feed(data))

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


def _send(link: socket.socket, out: bytearray) -> int:
    try:
        with memoryview(out) as view:
            return link.send(view[:_PIECE])
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return 0
    except OSError as error:
        raise NotConnected(f"the connection broke: {error.strerror or error}") from error


def _receive(link: socket.socket) -> bytes:
    parts: list[bytes] = []
    try:
        while True:
            data = link.recv(_PIECE)
            if not data:
                if parts:
                    break
                raise NotConnected("the MQTT door closed the connection")
            parts.append(data)
            if len(data) < _PIECE and not isinstance(link, ssl.SSLSocket):
                break
            if len(parts) >= 16 and not isinstance(link, ssl.SSLSocket):
                break  # what TLS has decrypted already would not wake us again
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        pass
    except OSError as error:
        raise NotConnected(f"the connection broke: {error.strerror or error}") from error
    return b"".join(parts)


__all__ = ["PUBLISH", "Handler", "Line", "State"]
