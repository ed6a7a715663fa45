"""`penstock targets`: what devices are fixed to: machines, pumps, cars."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from penstock.cli import finding
from penstock.cli.completing import device_names
from penstock.cli.hub import DEFAULT_URL, AsJson, Url, Yes, ask, confirm, print_json, quoted, tell
from penstock.cli.tables import moment, show
from penstock.core.errors import NotFound

app = typer.Typer(
    name="targets",
    help="Targets: what devices are fixed to, and where that is.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Name or id of the target.")]
DeviceName = Annotated[str, typer.Argument(help="Name of the device.", autocompletion=device_names)]


@app.command("list")
def list_targets(*, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show targets."""
    found = ask("GET", url, "/targets")["items"]
    if as_json:
        print_json(found)
        return
    show(
        found,
        [
            ("Target", "id"),
            ("Name", "name"),
            ("Devices", "devices"),
            ("Location", "location"),
            ("Description", "description"),
        ],
        "No targets.",
    )


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the target.")],
    *,
    location: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Longitude and latitude in degrees.", metavar="LON LAT"),
    ] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    system: Annotated[
        str | None, typer.Option(help="Its system; yours if you have only one.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make a target."""
    document = {
        "name": name,
        "location": location,
        "description": description,
        "system": None if system is None else finding.system(url, system),
    }
    target = ask("POST", url, "/targets", document)
    if as_json:
        print_json(target)
        return
    typer.echo(f"Target {target['id']}, {target['name']}, is made.")


@app.command()
def move(
    target: Name,
    longitude: Annotated[float, typer.Argument(min=-180, max=180, help="Degrees.")],
    latitude: Annotated[float, typer.Argument(min=-90, max=90, help="Degrees.")],
    *,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Say where a target is now; where it was stays known."""
    found = _find(url, target)
    place = {"position": [longitude, latitude]}
    answer = ask("POST", url, f"/targets/{found['id']}/locations", {"places": [place]})
    tell(f"{found['name']} is at {longitude:g}, {latitude:g}.", answer, as_json=as_json)


@app.command()
def fix(
    device: DeviceName, target: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Fix a device to a target."""
    found = _find(url, target)
    answer = ask("PATCH", url, f"/devices/{quoted(device)}", {"target_id": found["id"]})
    tell(f"{device} is fixed to {found['name']}.", answer, as_json=as_json)


@app.command()
def unfix(device: DeviceName, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Take a device off its target."""
    answer = ask("PATCH", url, f"/devices/{quoted(device)}", {"target_id": None})
    tell(f"{device} is fixed to nothing.", answer, as_json=as_json)


@app.command()
def devices(target: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show which devices are and were fixed to a target."""
    found = _find(url, target)
    items = ask("GET", url, f"/targets/{found['id']}/devices")["items"]
    if as_json:
        print_json(items)
        return
    show(
        items,
        [
            ("Device", "device"),
            ("From (UTC)", lambda a: moment(a["from_us"])),
            ("Until (UTC)", lambda a: moment(a["until_us"])),
        ],
        f"Nothing was ever fixed to {found['name']}.",
    )


@app.command()
def delete(
    target: Name, *, yes: Yes = False, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Delete a target and where it was; its devices are fixed to nothing."""
    found = _find(url, target)
    confirm(f"Delete target {found['name']}?", yes=yes)
    answer = ask("DELETE", url, f"/targets/{found['id']}")
    tell(f"{found['name']} is deleted.", answer, as_json=as_json)


def _find(url: str, name: str) -> dict[str, Any]:
    for target in ask("GET", url, "/targets")["items"]:
        if name in (target["name"], str(target["id"])):
            return dict(target)
    msg = f"there is no target {name!r}; `penstock targets list` shows those there are"
    raise NotFound(msg)
