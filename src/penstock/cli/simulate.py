"""`penstock simulate`: devices that are not there, over real MQTT."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.recording_options import (
    FileArgument,
    FormatOption,
    NameOption,
    ThingNameOption,
    ThingOption,
    TimeFormatOption,
    TimeOption,
    TimeUnitOption,
    TimeZoneOption,
    UnitOption,
    ValueOption,
)
from penstock.cli.simulation import Options, command, time_us

if TYPE_CHECKING:
    from penstock.simulators.accelerometer import Accelerometers
    from penstock.simulators.factory import Factory
    from penstock.simulators.fleet import Fleet
    from penstock.simulators.replay import Replay
    from penstock.simulators.stations import Stations
    from penstock.simulators.travellers import Travellers

app = typer.Typer(
    name="simulate",
    help="Simulate devices and send what they measure to an MQTT broker.",
    no_args_is_help=True,
)


@command(app)
def accelerometer(
    options: Options,
    *,
    rate: Annotated[float, typer.Option(help="Samples per second of each sensor, Hz.")] = 100.0,
    count: Annotated[int, typer.Option(min=1, help="How many sensors.")] = 2,
) -> Accelerometers:
    """Accelerometers: one array of samples per second on sensor.<serial>.measurements."""
    from penstock.simulators.accelerometer import Accelerometers

    return Accelerometers(options.seed, count=count, rate=rate)


@command(app)
def stations(
    options: Options,
    *,
    rate: Annotated[float, typer.Option(help="Messages per second of each station.")] = 1.0,
    count: Annotated[int, typer.Option(min=1, help="How many stations.")] = 6,
) -> Stations:
    """Stations of a campus: flat metrics on <location>/<station>, with batteries."""
    from penstock.simulators.stations import Stations

    return Stations(options.seed, count=count, rate=rate)


@command(app)
def factory(
    options: Options,
    *,
    rate: Annotated[
        float | None, typer.Option(help="Steps per second of each site; else as planned.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="How many sites; else all 6.")] = None,
    sites: Annotated[
        str | None, typer.Option(metavar="101,102,...", help="Which sites; else all.")
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="A plan of your own, see the docs.")] = None,
    historic: Annotated[
        bool, typer.Option("--historic/--no-historic", help="Send history first.")
    ] = False,
    historic_from: Annotated[
        str | None, typer.Option(metavar="TIME", help="Where history starts; else as planned.")
    ] = None,
    as_original: Annotated[
        bool,
        typer.Option(
            "--as-original",
            help="As the original: history skips every other step, the live phase ends.",
        ),
    ] = False,
) -> Factory:
    """Factories: 6 sites, 28 devices, 125 sensors on factory_iot/<region>/<site>."""
    from penstock.simulators.factory import Factory
    from penstock.simulators.plan import load_plan

    known = load_plan(plan)
    return Factory(
        options.seed,
        sites=_numbers(sites) if sites else [site.site_id for site in known][:count],
        plan=known,
        rate=rate,
        historic=historic,
        historic_from_us=time_us(historic_from, "--historic-from"),
        double_step=as_original,
        reccap=as_original,
    )


@command(app)
def travellers(
    options: Options,
    *,
    rate: Annotated[
        float, typer.Option(help="Travellers per second who arrive at each sensor.")
    ] = 10.0,
    count: Annotated[int, typer.Option(min=1, help="How many sensors.")] = 100,
) -> Travellers:
    """Travellers at street corners: positions on movements/<sensor>, ten times per second."""
    from penstock.simulators.travellers import Travellers

    return Travellers(options.seed, sensors=count, rate=rate)


@command(app)
def fleet(
    options: Options,
    *,
    rate: Annotated[
        float | None, typer.Option(help="Reports per second of each; else every 5 or 10 s.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many cars and stations.")] = 4,
) -> Fleet:
    """Cars and weather stations: SensorThings records on <system>.int/<thing>."""
    from penstock.simulators.fleet import Fleet

    return Fleet(options.seed, count=count, rate=rate)


@command(app, without=frozenset({"seed", "start", "speed"}))
def replay(
    options: Options,
    *,
    file: FileArgument,
    form: Annotated[
        str, typer.Option(metavar="flat|value|senml", help="Form of the payloads.")
    ] = "flat",
    topic: Annotated[
        str | None,
        typer.Option(metavar="TEMPLATE", help="Such as plant/{thing}, lab/{thing}/{name}."),
    ] = None,
    speed: Annotated[float, typer.Option(min=0.001, help="Recorded seconds per second.")] = 1.0,
    shift: Annotated[
        str | None,
        typer.Option(
            metavar="now|none",
            help="Times of the messages: when they are sent (default), or as recorded "
            "(default with --as-fast-as-possible).",
        ),
    ] = None,
    sort: Annotated[
        bool, typer.Option("--sort", help="Read the whole file first and sort it by time.")
    ] = False,
    time: TimeOption = None,
    value: ValueOption = None,
    thing: ThingOption = None,
    thing_name: ThingNameOption = None,
    name: NameOption = None,
    unit: UnitOption = None,
    time_unit: TimeUnitOption = None,
    time_format: TimeFormatOption = None,
    time_zone: TimeZoneOption = "UTC",
    file_format: FormatOption = None,
) -> Replay:
    """A recording, sent as its devices might have: CSV, Parquet or NDJSON."""
    from penstock.simulators.recordings import Columns, Recording
    from penstock.simulators.replay import Replay

    if shift not in {None, "now", "none"}:
        msg = f"{shift!r} is not known; it is now or none"
        raise typer.BadParameter(msg, param_hint="--shift")
    columns = Columns(
        time=time,
        time_unit=time_unit,
        time_format=time_format,
        time_zone=time_zone,
        values=tuple(value or ()),
        thing=thing,
        thing_name=thing_name,
        name=name,
        units=tuple(unit or ()),
    )
    fast = options.as_fast_as_possible
    return Replay(
        Recording(file, columns, file_format),
        form=form,
        topic=topic,
        speed=None if fast else speed,
        shift_to_now=shift == "now" or (shift is None and not fast),
        sort=sort,
    )


def _numbers(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError as error:
        msg = f"{text!r} is not a list of numbers; an example is 101,102"
        raise typer.BadParameter(msg, param_hint="--sites") from error
