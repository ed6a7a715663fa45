"""`penstock simulate`: devices that are not there, over real MQTT."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.simulation import Options, command, time_us

if TYPE_CHECKING:
    from penstock.simulators.accelerometer import Accelerometers
    from penstock.simulators.factory import Factory
    from penstock.simulators.fleet import Fleet
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


def _numbers(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError as error:
        msg = f"{text!r} is not a list of numbers; an example is 101,102"
        raise typer.BadParameter(msg, param_hint="--sites") from error
