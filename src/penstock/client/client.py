"""The client: what a device, a digital twin or an analyst does with Penstock."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from penstock.client.analysing import Analysing
from penstock.client.arriving import Arrivals
from penstock.client.catching_up import CatchingUp
from penstock.client.commanding import Commanding
from penstock.client.commands import Orders, Servant
from penstock.client.consuming import Consumer, Message
from penstock.client.folder_spool import FolderSpool
from penstock.client.inbox import Inbox, Seen
from penstock.client.line import Line, State
from penstock.client.outbox import Outbox
from penstock.client.packets import Packet, split_record
from penstock.client.producing import Producer
from penstock.client.reading import Reader
from penstock.client.registering import Quantities, document_of
from penstock.client.settings import gather
from penstock.client.spool import MemorySpool, Spool
from penstock.client.things import Datastream
from penstock.client.times import Stamps
from penstock.client.web import Web
from penstock.client.whereabouts import Whereabouts
from penstock.core.clock import Clock, SystemClock
from penstock.core.errors import NotConnected


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How a client is doing.

    Attributes:
        state: new, online, offline or closed; offline it connects again by itself.
        problem: Why it is offline; "" otherwise.
        waiting: Records that are kept and not acknowledged yet.
        acknowledged: Records acknowledged since the start: they are on the platform's disk.
        refused: Records that the platform did not take; see `Client.refused`.
        dropped: Records dropped since the start, because the buffer was full.
        repeated: Messages that came again and were not handed out again.
        gaps: How often the platform's queue for this client was full, or had been forgotten;
            `consume` reads what is missing from the store.
        connects: How often it connected.
    """

    state: State
    problem: str
    waiting: int
    acknowledged: int
    refused: int
    dropped: int
    repeated: int
    gaps: int
    connects: int


class Client(Analysing, Commanding):
    """Works with one Penstock platform. Everything that is not given comes from the environment.

    Making one touches neither network nor, without `buffer`, disk. It may be used by several
    threads. A `with` block closes it.

    Args:
        url: Address of the platform (PENSTOCK_URL); http://localhost:8080 if nothing says more.
        key: Key of the client or user (PENSTOCK_KEY); none without accounts.
        name: Its name at the door (PENSTOCK_CLIENT); needed to consume what came while it was
            away. Two that run at one time need two names.
        system: System that it acts for (PENSTOCK_SYSTEM); by default the one of the key.
        mqtt: `mqtt://HOST:PORT` or `mqtts://HOST:PORT` (PENSTOCK_MQTT); asked from the platform.
        ca_file: Certificates to trust beside the machine's (PENSTOCK_CA_FILE).
        buffer: Folder that keeps what waits to be sent (PENSTOCK_BUFFER): it survives a crash of
            the program and days without network. Without, it is kept in memory.
        config: TOML or JSON file, or a dict, with the same and the other `ClientSettings`.
        on_state: Called with each new `State` and the problem, by another thread.
        on_refused: Called with topic, payload and reason of each record that is not taken.
        clock: Tells the time; for tests.
        settings: Other `ClientSettings` by name.

    Raises:
        ConfigError: A setting is unknown or not allowed.
        Conflict: Another client uses the folder.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        name: str | None = None,
        system: str | None = None,
        mqtt: str | None = None,
        ca_file: str | Path | None = None,
        buffer: str | Path | None = None,
        config: str | Path | Mapping[str, Any] | None = None,
        on_state: Callable[[State, str], None] | None = None,
        on_refused: Callable[[str, bytes, str], None] | None = None,
        clock: Clock | None = None,
        **settings: Any,
    ) -> None:
        given: dict[str, Any] = {
            "url": url,
            "key": key,
            "name": name,
            "system": system,
            "mqtt": mqtt,
        }
        given |= {"ca_file": ca_file, "buffer": buffer, **settings}
        self.settings = gather(given, config)
        self._clock = clock or SystemClock()
        self._on_state = on_state or (lambda _state, _problem: None)
        folder = Path(self.settings.buffer).expanduser() if self.settings.buffer else None
        web = Web(
            self.settings.url, self.settings.key, self.settings.ca_file, self.settings.timeout_s
        )
        self._reader = Reader(web)
        spool, refused = self._spools(folder)
        self._outbox = Outbox(
            spool,
            refused,
            self.settings.sync_every_s,
            on_refused or (lambda _topic, _payload, _why: None),
            self._on_message,
        )
        self._whereabouts = Whereabouts(self.settings, web, folder and folder / "known.json")
        self._quantities = Quantities()
        stamps = Stamps(self._clock, spool.stamped_us)
        self._producer = Producer(self._quantities, self._outbox, stamps)
        self._id = self.settings.name or f"penstock-{secrets.token_hex(6)}"
        self._inbox: Inbox = self._make_inbox(folder)
        missed = CatchingUp(
            self._reader.since,
            self._inbox.seen,
            self.settings.remember,
            folder and folder / "inbox" / "places.json",
        )
        arrivals = Arrivals(
            self._reader.arrived, missed.places, self._inbox.seen, self.settings.remember
        )
        self._consumer = Consumer(
            self._inbox,
            self._reader.by_id,
            self._clock,
            arrivals,
            missed,
            lambda connection: self._receiving.subscribed == connection,
        )
        self._sending = self._line(self._id, self._outbox, keeps_session=False)
        self._receiving = self._line(
            f"{self._id}/consumer", self._inbox, keeps_session=bool(self.settings.name)
        )
        self._orders = Orders(web)
        self._servant = Servant(self._sending, self._outbox)
        self._system = ""
        self._closed = False

    # Registering.

    def register(self, what: object) -> list[Datastream]:
        """Say what the data means; create what is missing, update what is known, by name.

        Without network this works for what was registered before, if there is a `buffer`.

        Args:
            what: Path of a JSON file or a dict with Things, Sensors and Datastreams, or
                `Quantity` objects.

        Returns:
            The Datastreams, in the order given.

        Raises:
            NotConnected: The platform cannot be reached, and this was never registered.
            InvalidInput: Something is missing or not allowed; nothing was registered.
            Forbidden: The client may not write there.
        """
        found = self._whereabouts.register(document_of(what))
        self._system = found.system
        self._quantities.add(found.items, found.system)
        self._producer.forget()
        self._start_sending()
        return found.items

    def register_existing(self, *names: str) -> list[Datastream]:
        """Take Datastreams that exist, by full name, to produce for them.

        Raises:
            NotConnected: The platform cannot be reached.
            NotFound: There is none of a name.
        """
        found = self._reader.choose(names)
        self._quantities.add(found, self.system)
        self._producer.forget()
        self._start_sending()
        return found

    @property
    def quantities(self) -> list[Datastream]:
        """What is registered here, by name."""
        return self._quantities.all()

    @property
    def system(self) -> str:
        """Name of the system that this client acts for; asks the platform once.

        Raises:
            NotConnected: The platform cannot be reached, and never was.
        """
        if not self._system:
            self._system = self._whereabouts.system()
        return self._system

    # Producing.

    def produce(
        self, quantity: str, result: object, timestamp: object = None, **extra: Any
    ) -> None:
        """Keep one result to be sent; it goes out in the background, in order.

        When it returns, the result is in the buffer: with a folder it survives a crash of the
        program; a power cut can take the last `sync_every_s` seconds.

        Args:
            quantity: Name of what is registered: key, name within its Thing, or full name.
            result: Cast to the type of the Datastream.
            timestamp: ISO 8601, an epoch of 10, 13, 16 or 19 digits, a datetime, or None for now.
            extra: Further values, kept with the observation.

        Raises:
            NotFound: The quantity is not registered.
            InvalidInput: Result or timestamp do not fit.
            Backpressure: The buffer is full; the result was not kept.
        """
        self._producer.produce(self.system, quantity, result, timestamp, extra)
        self._sending.wake()

    def produce_many(
        self, quantity: str, results: Iterable[object], timestamps: Sequence[object] | None = None
    ) -> int:
        """Keep many results of one quantity, all or none, and return how many. Raises as `produce`.

        Args:
            quantity: As for `produce`.
            results: The results.
            timestamps: One for each; None gives each a time of its own, now.
        """
        count = self._producer.produce_many(self.system, quantity, results, timestamps)
        self._sending.wake()
        return count

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Wait until what was produced so far is on the platform's disk; return whether it is."""
        self._start_sending()
        return self._outbox.wait_empty(timeout_s)

    def refused(self) -> list[tuple[str, bytes]]:
        """Return topic and payload of the records that the platform did not take, oldest first."""
        return [split_record(record) for _, record in self._all_refused()]

    def retry_refused(self) -> int:
        """Send again what the platform did not take, and return how much that is."""
        found = self._all_refused()
        for number, record in found:
            self._outbox.add([record], 0)
            self._outbox.refused.trim(number)
        self._sending.wake()
        return len(found)

    def status(self) -> Status:
        """Return how the client is doing."""
        spool, line = self._outbox.spool, self._sending
        return Status(
            state=line.state,
            problem=line.problem,
            waiting=max(spool.last - spool.trimmed, 0),
            acknowledged=self._outbox.acknowledged,
            refused=self._outbox.refused.last - self._outbox.refused.trimmed,
            dropped=spool.dropped,
            repeated=self._inbox.repeated,
            gaps=self._receiving.gaps,
            connects=line.connects,
        )

    # Consuming.

    def subscribe(self, names: str | Sequence[str] = "*", timeout_s: float = 10.0) -> None:
        """Receive what is produced for Datastreams, from now on, or where this name left off.

        Args:
            names: Full names, also of systems that granted to be read; or "*" for all of the own
                system (`.int`) and what was sent to it (`.ext`).
            timeout_s: How long to wait for the platform's answer.

        Raises:
            NotFound: There is no such Datastream.
            Forbidden: It may not be received.
            NotConnected: There was no answer in time.
        """
        given = [names] if isinstance(names, str) else list(names)
        own = self.system
        if "*" in given:
            self._consumer.wanted = None
            filters = [f"{own}.int/#", f"{own}.ext/#"]
        else:
            streams = self._reader.choose(given)
            homes = {own, *(stream.owner() for stream in streams)}
            filters = [f"{home}.{kind}" for home in sorted(homes) for kind in ("int", "ext")]
            filters += [f"{s.owner()}.int/{s.id}" for s in streams]
            filters += [f"{own}.ext/{s.id}" for s in streams]
            if self._consumer.wanted is not None:
                self._consumer.wanted |= {stream.id for stream in streams}
        self._consumer.subscribing(filters)
        self._receiving.subscribe(filters, timeout_s)
        self._consumer.subscribed()

    def consume(self, timeout_s: float = 1.0, most: int = 100) -> list[Message]:
        """Return the next messages; none when the time is over.

        What the call before returned counts as dealt with. What was not dealt with when the
        program ends comes again; what was does not, as long as the platform keeps the session
        (`session_expiry_s`), this client has a `name`, and a `buffer` to remember it.

        Raises:
            NotConnected: What is known of a Datastream cannot be asked; nothing is lost.
        """
        self.acknowledge()
        return self._consumer.consume(timeout_s, most)

    def acknowledge(self) -> None:
        """Say that what `consume` returned is dealt with, without waiting for the next call."""
        self._consumer.acknowledge()
        self._receiving.wake()

    # Ending.

    def disconnect(self, timeout_s: float = 5.0) -> None:
        """Send what waits, for at most so long, and end; a folder keeps the rest. See `close`."""
        self.close(timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what waits, for at most so long, and end. Safe to call twice.

        What `consume` returned last counts as dealt with.
        """
        if not self._closed:
            self._consumer.acknowledge()
        self._end(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Close; after an error what was consumed last is not dealt with, and comes again."""
        if kind is None:
            self.close()
        else:
            self._end(5.0)

    # How.

    def _end(self, timeout_s: float) -> None:
        if self._closed:
            return
        self._closed = True
        self._servant.close()
        if self._outbox.spool.last > self._outbox.spool.trimmed:
            self._sending.start()
        self._sending.close(timeout_s)
        self._receiving.close(min(timeout_s, 1.0))
        self._outbox.spool.close()
        self._outbox.refused.close()
        self._inbox.close()

    def _spools(self, folder: Path | None) -> tuple[Spool, Spool]:
        settings = self.settings
        if folder is None:
            most = settings.max_memory_bytes
            waiting: Spool = MemorySpool(most, drop_oldest=settings.drop_oldest)
            return waiting, MemorySpool(most, drop_oldest=True)
        most = settings.max_buffer_bytes
        waiting = FolderSpool(folder, most, drop_oldest=settings.drop_oldest)
        return waiting, FolderSpool(folder / "refused", most // 4, drop_oldest=True)

    def _make_inbox(self, folder: Path | None) -> Inbox:
        remember, most = self.settings.remember, self.settings.max_memory_bytes
        if folder is None:
            return Inbox(
                MemorySpool(most, drop_oldest=False), Seen(remember, None), is_durable=False
            )
        spool = FolderSpool(folder / "inbox", self.settings.max_buffer_bytes, drop_oldest=False)
        return Inbox(spool, Seen(remember, folder / "inbox" / "seen"), is_durable=True)

    def _line(self, client_id: str, handler: Outbox | Inbox, *, keeps_session: bool) -> Line:
        return Line(
            self.settings,
            self._whereabouts,
            client_id,
            handler,
            keeps_session=keeps_session,
            receives=handler is self._inbox,
            on_state=self._on_state if handler is self._outbox else lambda _state, _problem: None,
        )

    def _start_sending(self) -> None:
        if self._closed:
            msg = "this client is closed; make a new one"
            raise NotConnected(msg)
        self._sending.start()

    def _all_refused(self) -> list[tuple[int, bytes]]:
        spool, found = self._outbox.refused, []
        at = spool.trimmed
        while part := spool.read(at, 1000):
            found += part
            at = part[-1][0]
        return found

    def _on_message(self, packet: Packet) -> None:
        """Take what comes over the line that sends: commands."""
        self._servant.take(packet)
