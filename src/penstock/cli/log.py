"""`penstock log`: look at the raw messages, and send them through again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.up import ConfigFile, DataDir, overrides

if TYPE_CHECKING:
    from penstock.log import SegmentLog
    from penstock.log.look import LogMessage
    from penstock.runtime.config import Config

#: Seconds between two looks for new messages.
FOLLOW_EVERY_S = 0.1

app = typer.Typer(
    name="log",
    help="Look at the log of raw messages, and replay it.",
    no_args_is_help=True,
)

Partition = Annotated[str, typer.Option("--partition", help="Partition of the log.")]
Topic = Annotated[
    str, typer.Option(metavar="FILTER", help="Only topics that match this MQTT topic filter.")
]
From = Annotated[
    str | None, typer.Option("--from", metavar="OFFSET|TIME", help="Begin here; else at the first.")
]
Until = Annotated[
    str | None, typer.Option(metavar="OFFSET|TIME", help="Stop before this; else at the end.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


@app.command("show")
def show(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Show partitions, offsets, sizes and times, and how far each reader is."""
    import msgspec

    from penstock.log.look import look_at

    log = _open(_load(data_dir, config))
    looks = [look_at(log, name) for name in log.partitions()]
    if as_json:
        typer.echo(msgspec.json.encode(looks).decode())
        return
    if not looks:
        typer.echo("The log is empty: nothing was received yet.")
    for look in looks:
        size = f"{look.size_bytes / 1e6:.1f} MB in {look.segments} segments"
        typer.echo(f"{look.partition}: messages {look.first} to {look.end}, {size}")
        if look.oldest_us is not None and look.newest_us is not None:
            typer.echo(f"  arrived {_time(look.oldest_us)} to {_time(look.newest_us)}")
        for reader in look.readers:
            state = f"{reader.lag} messages behind" if reader.lag else "up to date"
            typer.echo(f"  reader {reader.name} at {reader.committed}, {state}")


@app.command("tail")
def tail(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    partition: Partition = "door",
    topic: Topic = "#",
    count: Annotated[
        int, typer.Option("--count", "-n", min=0, help="How many of the last messages.")
    ] = 10,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new messages as they arrive.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the last messages; with --follow the new ones too, until Ctrl-C."""
    import time

    log = _open(_load(data_dir, config), partition, may_wait=follow)
    matches, write = _filter(topic), _writer(as_json=as_json)
    reader = log.reader(partition)
    position = log.ends().get(partition, 0)
    for message in _last(log, partition, count, position, matches):
        write(message)
    while follow:
        for message in _sound(log, partition, position, None):
            position = message.offset + 1
            if matches(message.topic):
                write(message)
        reader.seek(position)
        while not log.ends().get(partition, 0) > position:
            time.sleep(FOLLOW_EVERY_S)


@app.command("cat")
def cat(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    partition: Partition = "door",
    topic: Topic = "#",
    since: From = None,
    until: Until = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Print the messages of a range of offsets or arrival times."""
    log = _open(_load(data_dir, config), partition)
    matches, write = _filter(topic), _writer(as_json=as_json)
    for message in _sound(log, partition, *_range(log, partition, since, until)):
        if matches(message.topic):
            write(message)


@app.command("replay")
def replay(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    partition: Partition = "door",
    topic: Topic = "#",
    since: From = None,
    until: Until = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="Address of the Penstock that runs on this folder; the configured one without "
            "it, whatever PENSTOCK_URL says.",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Publish to this MQTT broker, instead of ingesting again through the running hub.",
        ),
    ] = None,
    username: Annotated[str | None, typer.Option(help="User name at the broker.")] = None,
    password: Annotated[
        str | None, typer.Option(envvar="PENSTOCK_REPLAY_PASSWORD", help="Password at the broker.")
    ] = None,
    qos: Annotated[int, typer.Option(min=0, max=2, help="MQTT quality of service.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Send a range of messages through again; what is stored already is not stored twice."""
    from penstock.core.errors import ConfigError

    loaded = _load(data_dir, config)
    log = _open(loaded, partition)
    first, end = _range(log, partition, since, until)
    if to is None:
        if topic != "#":
            msg = "--topic works together with --to only; the hub ingests whole ranges again"
            raise ConfigError(msg)
        _through_hub(url or _address(loaded), partition, first, end, as_json=as_json)
        return
    from penstock.cli.hub import tell
    from penstock.cli.publishing import publish_all
    from penstock.simulators.mqtt import Broker

    matches = _filter(topic)
    messages = (m for m in _sound(log, partition, first, end) if matches(m.topic))
    sent = publish_all(Broker.parse(to, username, password), messages, qos)
    tell(f"{sent} messages published to {to}", {"messages": sent, "to": to}, as_json=as_json)


def _through_hub(url: str, partition: str, first: int, until: int | None, *, as_json: bool) -> None:
    """Let the running hub ingest a range again, and say what became of it."""
    from penstock.cli.hub import ask, quoted, tell

    body = {"from": first, "until": until}
    done = ask("POST", url, f"/log/{quoted(partition)}/replay", body)
    told = (
        f"{done['messages']} messages ingested again: {done['observations']} observations, "
        f"{done['failed']} failed"
    )
    tell(told, done, as_json=as_json)


def _address(loaded: Config) -> str:
    """Return where the configured API is."""
    return f"http{'s' * bool(loaded.api.tls.certificate)}://{loaded.api.host}:{loaded.api.port}"


def _load(data_dir: Path | None, file: Path | None) -> Config:
    from penstock.runtime import config

    return config.load(file, overrides=overrides(data_dir, None, None))


def _open(loaded: Config, partition: str | None = None, *, may_wait: bool = False) -> SegmentLog:
    """Open the log; with a partition that must exist unless it `may_wait` for it."""
    from penstock.core.errors import NotFound
    from penstock.log import SegmentLog

    log = SegmentLog(loaded.data_path / "log", loaded.log)
    if partition is not None and not may_wait and partition not in log.partitions():
        known = ", ".join(log.partitions()) or "none yet"
        msg = (
            f"there is no log partition {partition!r} in {loaded.data_path}; there are: {known}; "
            "name one with --partition, or another folder with --data-dir"
        )
        raise NotFound(msg)
    return log


def _range(
    log: SegmentLog, partition: str, since: str | None, until: str | None
) -> tuple[int, int | None]:
    first = log.reader(partition).position if since is None else _offset(log, partition, since)
    return first, None if until is None else _offset(log, partition, until)


def _offset(log: SegmentLog, partition: str, text: str) -> int:
    """Return the offset that a text of digits or a time means."""
    from penstock.cli.simulation import time_us

    if text.isdecimal():
        return int(text)
    reader = log.reader(partition)
    reader.seek_time(time_us(text, "--from/--until") or 0)
    return reader.position


def _sound(log: SegmentLog, partition: str, first: int, until: int | None) -> Iterator[LogMessage]:
    """Yield the messages of a range up to the present end; say what is damaged and go on."""
    from penstock.core.errors import Corrupt
    from penstock.log.look import messages_between

    reader = log.reader(partition)
    until = log.ends().get(partition, 0) if until is None else until
    while True:
        try:
            yield from messages_between(reader, partition, first, until)
        except Corrupt as error:
            typer.echo(f"penstock: {error}", err=True)
            first = reader.position
        else:
            reader.close()
            return


def _last(
    log: SegmentLog, partition: str, count: int, end: int, matches: Callable[[str], bool]
) -> list[LogMessage]:
    """Return the last `count` messages before offset `end` that match, oldest first."""
    first = log.reader(partition).position
    window = count
    while count:
        start = max(end - window, first)
        found = [m for m in _sound(log, partition, start, end) if matches(m.topic)]
        if len(found) >= count or start <= first:
            return found[-count:]
        window *= 8
    return []


def _filter(topic: str) -> Callable[[str], bool]:
    from paho.mqtt.client import topic_matches_sub

    if topic == "#":
        return lambda _: True
    return lambda name: topic_matches_sub(topic, name)


def _writer(*, as_json: bool) -> Callable[[LogMessage], None]:
    import base64

    import msgspec

    def line(message: LogMessage) -> str:
        text = message.payload.decode(errors="backslashreplace")
        where = f"{_time(message.arrived_us)} {message.partition} {message.offset}"
        return f"{where} {message.client} {message.topic} {text}"

    def json_line(message: LogMessage) -> str:
        known = msgspec.structs.asdict(message)
        payload = known.pop("payload")
        try:
            known["payload"] = payload.decode()
        except UnicodeDecodeError:
            known["payload_base64"] = base64.b64encode(payload).decode()
        known["arrived"] = _time(known.pop("arrived_us"))
        return msgspec.json.encode(known).decode()

    form = json_line if as_json else line

    def write(message: LogMessage) -> None:
        sys.stdout.write(form(message) + "\n")
        if sys.stdout.isatty():
            sys.stdout.flush()

    return write


def _time(time_us: int) -> str:
    from datetime import UTC, datetime, timedelta

    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
