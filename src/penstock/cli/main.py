"""`penstock`: the one command; every subcommand is a file beside this one."""

from __future__ import annotations

import sys

import typer

from penstock.cli import deadletters, demo, devices, doctor, import_history, log, simulate, up
from penstock.core.errors import PenstockError

app = typer.Typer(
    name="penstock",
    help="Sensor streams in, on disk before they are acknowledged, live and past on one chart.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("version")(up.version)
app.command("password")(up.password)
app.add_typer(simulate.app, name="simulate")
app.command("import")(import_history.import_history)
app.add_typer(log.app, name="log")
app.add_typer(deadletters.app, name="deadletters")
app.add_typer(devices.app, name="devices")


def run() -> None:
    """Run the command line; an error of ours becomes one line and exit code 1."""
    try:
        app()
    except PenstockError as error:
        sys.stderr.write(f"penstock: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    run()
