"""`penstock devices`: who may send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

import typer

from penstock.cli.hub import DEFAULT_URL, AsJson, Url, ask, print_json
from penstock.core.catalog import DeviceStatus

app = typer.Typer(
    name="devices", help="Devices: who sends, who waits, who may come in.", no_args_is_help=True
)

Names = Annotated[list[str], typer.Argument(help="Names of devices, as `devices list` shows them.")]


@app.command("list")
def list_devices(
    *,
    status: Annotated[
        DeviceStatus | None, typer.Option(help="Only those that stand like this.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show devices by name."""
    devices: list[dict[str, Any]] = ask("GET", url, "/devices", status=status)["items"]
    if as_json:
        print_json(devices)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not devices:
        console.print("No devices." if status is None else f"No devices are {status}.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Device", "Status", "First seen (UTC)", "Thing"):
        table.add_column(name)
    for device in devices:
        seen = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=device["first_seen_us"])
        thing = device["thing_id"]
        table.add_row(
            Text(device["name"]),
            device["status"],
            f"{seen:%Y-%m-%d %H:%M:%S}",
            "" if thing is None else str(thing),
        )
    console.print(table)


@app.command()
def approve(names: Names, *, url: Url = DEFAULT_URL) -> None:
    """Let devices in; what they sent while they waited is stored within seconds."""
    for name in names:
        ask("POST", url, f"/devices/{quote(name, safe='')}/approve")
        typer.echo(f"{name} may send.")


@app.command()
def refuse(names: Names, *, url: Url = DEFAULT_URL) -> None:
    """Keep devices out, now and later; their messages go to the dead letters."""
    for name in names:
        ask("POST", url, f"/devices/{quote(name, safe='')}/refuse")
        typer.echo(f"{name} is refused.")
