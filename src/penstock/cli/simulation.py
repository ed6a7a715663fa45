"""What all simulator commands share: options, the run and its progress."""

from __future__ import annotations

import contextlib
import inspect
import sys
import typing
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

if TYPE_CHECKING:
    from penstock.simulators.message import Simulator
    from penstock.simulators.pace import Progress
    from penstock.simulators.publisher import Publisher
    from penstock.simulators.run import Summary, Watch


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Options of every simulator."""

    duration: Annotated[
        float | None, typer.Option(metavar="SECONDS", min=0, help="Stop after this time.")
    ] = None
    messages: Annotated[int | None, typer.Option(min=1, help="Stop after so many messages.")] = None
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed and --start give the same messages again.")
    ] = 0
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="Simulated time to begin with; else now.")
    ] = None
    speed: Annotated[float, typer.Option(min=0.001, help="Simulated seconds per second.")] = 1.0
    as_fast_as_possible: Annotated[
        bool, typer.Option("--as-fast-as-possible", help="Do not wait at all.")
    ] = False
    broker: Annotated[str, typer.Option(metavar="HOST:PORT", help="MQTT broker to send to.")] = (
        "127.0.0.1:1883"
    )
    username: Annotated[str | None, typer.Option(help="User name at the broker.")] = None
    password: Annotated[
        str | None,
        typer.Option(envvar="PENSTOCK_SIMULATE_PASSWORD", help="Password at the broker."),
    ] = None
    qos: Annotated[int, typer.Option(min=0, max=2, help="MQTT quality of service.")] = 1
    client_suffix: Annotated[
        str | None,
        typer.Option(help="What follows a device's name in its client id; else drawn by lot."),
    ] = None
    json: Annotated[
        bool, typer.Option("--json", help="Print a summary as JSON at the end, no progress.")
    ] = False


def command(
    app: typer.Typer, without: frozenset[str] = frozenset()
) -> Callable[[Callable[..., Simulator]], Callable[..., None]]:
    """Make a command of a function that builds a simulator.

    The function's first parameter takes the `Options`; the others are options of its own. The
    command does not have the options named in `without`.
    """

    def register(build: Callable[..., Simulator]) -> Callable[..., None]:
        build.__annotations__.pop("return", None)  # names what is imported only when it runs
        own = list(inspect.signature(build, eval_str=True).parameters.values())[1:]
        hints = typing.get_type_hints(Options, include_extras=True)
        shared = [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=hints[field.name],
            )
            for field in msgspec.structs.fields(Options)
            if field.name not in without
        ]

        def run(**given: object) -> None:
            chosen = {name: given.pop(name) for name in hints.keys() - without}
            options = msgspec.structs.replace(Options(), **chosen)
            play(build(options, **given), options)

        own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        positional = [p for p in own if p.default is inspect.Parameter.empty]
        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [*positional, *(p for p in own if p not in positional), *shared]
        )
        run.__annotations__ = {p.name: p.annotation for p in [*own, *shared]}
        run.__doc__ = build.__doc__
        app.command(build.__name__.replace("_", "-"))(run)
        return run

    return register


def play(simulator: Simulator, options: Options) -> None:
    """Run a simulator and show how far it is."""
    from penstock.simulators.mqtt import Broker
    from penstock.simulators.publisher import PublisherSettings
    from penstock.simulators.run import Run, run_until_signal

    run = Run(
        broker=Broker.parse(options.broker, options.username, options.password),
        publisher=PublisherSettings(qos=options.qos, client_suffix=options.client_suffix),
        start_us=time_us(options.start, "--start"),
        duration_s=options.duration,
        messages=options.messages,
        speed=None if options.as_fast_as_possible else options.speed,
    )
    with shown(f"{simulator.name} to {run.broker}", quiet=options.json) as watch:
        summary = run_until_signal(lambda stop: run.play(simulator, stop=stop, watch=watch))
    tell(summary, as_json=options.json)


def tell(summary: Summary, *, as_json: bool) -> None:
    """Print what a run did; a run with unacknowledged messages ends with an error."""
    if as_json:
        typer.echo(msgspec.json.encode(summary))
    else:
        typer.echo(
            f"{summary.messages} messages sent, {summary.acked} acknowledged, "
            f"{summary.messages_per_s:.0f}/s for {summary.seconds:.1f} s"
        )
    if summary.acked < summary.messages:
        lost = summary.messages - summary.acked
        typer.echo(f"{lost} messages were not acknowledged; they may be lost", err=True)
        raise typer.Exit(1)


@contextlib.contextmanager
def shown(title: str, *, quiet: bool) -> Iterator[Watch | None]:
    """Show progress on a terminal; show nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

    from penstock.core.clock import SystemClock

    clock = SystemClock()
    begin_s = clock.monotonic_s()
    last = (begin_s, 0)
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:

        def watch(progress: Progress, publisher: Publisher) -> None:
            nonlocal last
            now_s, sent = clock.monotonic_s(), publisher.sent
            rate = (sent - last[1]) / max(now_s - last[0], 1e-3)
            last = (now_s, sent)
            table = Table.grid(padding=(0, 2))
            lag = f"late by {progress.behind_s:.1f} s" if progress.behind_s > 1 else ""
            table.add_row(
                title,
                f"{sent:,} sent",
                f"{publisher.acked:,} acknowledged",
                f"{rate:,.0f}/s",
                f"{publisher.connected} connections",
                lag if publisher.connected else "[red]broker is away, trying again[/]",
            )
            live.update(table, refresh=True)

        yield watch


def time_us(text: str | None, option: str) -> int | None:
    """Read a time in ISO 8601; one without an offset is UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"{text!r} is not a time; an example is 2026-01-31T08:00:00Z"
        raise typer.BadParameter(msg, param_hint=option) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1e6)
