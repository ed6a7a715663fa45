"""`penstock devices`: what sends, how it stands, where it is, what it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from penstock.cli.completing import device_names
from penstock.cli.hub import DEFAULT_URL, AsJson, Url, Yes, ask, confirm, pages, print_json, quoted
from penstock.cli.tables import ago, moment, show, show_one, text
from penstock.core.catalog import DeviceStatus
from penstock.core.errors import InvalidInput

app = typer.Typer(
    name="devices",
    help="Devices: who sends and who waits; commands, state, logs and tracks.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Name of the device.", autocompletion=device_names)]
Names = Annotated[
    list[str],
    typer.Argument(
        help="Names of devices, as `devices list` shows them.", autocompletion=device_names
    ),
]
SinceText = Annotated[str, typer.Option("--from", help="First time: ISO 8601, or like now-1h.")]
UntilText = Annotated[str, typer.Option("--to", help="First time not wanted any more.")]


class TrackFormat(StrEnum):
    """How a track is written."""

    TABLE = "table"
    GEOJSON = "geojson"


@app.command("list")
def list_devices(
    search: Annotated[str, typer.Argument(help="Only names that hold this.")] = "",
    *,
    status: Annotated[
        DeviceStatus | None, typer.Option(help="Only those that stand like this.")
    ] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only those of this type.")] = None,
    online: Annotated[
        bool | None, typer.Option("--online/--offline", help="Only those connected, or not.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Things that apps, imports and people made, too.")
    ] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show devices by name: those that have sent or registered, wait or were refused."""
    heard = None if everything else True
    found = pages(
        url, "/devices", search=search, status=status, type=type_, online=online, heard=heard
    )
    devices = list(found)
    if as_json:
        print_json(devices)
        return
    which = "" if status is None else f" are {status}"
    show(
        devices,
        [
            ("Device", "name"),
            ("Type", "type"),
            ("Status", "status"),
            ("Online", _online),
            ("Last seen", lambda d: _ago(d["last_seen_us"])),
            ("Target", lambda d: (d["target"] or {}).get("name", "")),
        ],
        f"No devices{which}.",
    )


@app.command("get")
def get_device(name: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show a device: how it stands, when it was last seen, where."""
    device = ask("GET", url, f"/devices/{quoted(name)}")
    if as_json:
        print_json(device)
        return
    target = device["target"] or {}
    show_one(
        [
            ("device", device["name"]),
            ("status", device["status"]),
            ("type", device["type"]),
            ("topic", device["topic"]),
            ("sample frequency", _with_unit(device["sample_frequency"], "Hz")),
            ("online", _online(device)),
            ("last seen", _since(device["last_seen_us"])),
            ("client", device["client"]),
            ("address", device["address"]),
            ("target", target.get("name")),
            ("location", device["location"]),
            ("located", _since(device["located_us"])),
        ]
    )


@app.command()
def register(
    name: Annotated[str, typer.Argument(help="Name of the device.")],
    *,
    type_: Annotated[
        str, typer.Option("--type", help="Device type: it says which commands there are.")
    ] = "",
    topic: Annotated[str, typer.Option(help="Below which topic it talks.")] = "",
    frequency: Annotated[
        float | None, typer.Option(help="Sample frequency in Hz.", metavar="HZ")
    ] = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    system: Annotated[
        str | None, typer.Option(help="Its system; yours if you have only one.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Register a device before it sends; doing it again says more about it."""
    from penstock.cli import finding

    document = {
        "name": name,
        "type": type_,
        "topic": topic,
        "sample_frequency": frequency,
        "description": description,
        "system": None if system is None else finding.system(url, system),
    }
    device = ask("POST", url, "/devices", document)
    if as_json:
        print_json(device)
        return
    typer.echo(f"{device['name']} is registered.")


@app.command()
def approve(names: Names, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Let devices in; what they sent while they waited is stored within seconds."""
    _each(names, "may send", lambda name: _decide(url, name, "approve"), as_json=as_json)


@app.command()
def refuse(names: Names, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Keep devices out, now and later; their messages go to the dead letters."""
    _each(names, "is refused", lambda name: _decide(url, name, "refuse"), as_json=as_json)


@app.command()
def delete(
    names: Names,
    *,
    with_data: Annotated[
        bool, typer.Option("--with-data", help="Delete what they measured and logged too.")
    ] = False,
    yes: Yes = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Delete devices; what they measured stays. One that sends again is enrolled like new."""
    what = "and all their data " if with_data else ""
    confirm(f"Delete {', '.join(names)} {what}for good?", yes=yes)

    def remove(name: str) -> Any:
        return ask("DELETE", url, f"/devices/{quoted(name)}", with_data=with_data or None)

    _each(names, "is deleted", remove, as_json=as_json)


@app.command()
def status(name: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show what a device is wanted to be, what it says that it is, and its last commands."""
    path = f"/devices/{quoted(name)}"
    device, state = ask("GET", url, path), ask("GET", url, f"{path}/state")
    tasks = ask("GET", url, f"{path}/tasks", limit=5)["items"]
    if as_json:
        print_json({"device": device, "state": state, "tasks": tasks})
        return
    show_one(
        [
            ("device", device["name"]),
            ("online", _online(device)),
            ("last seen", _since(device["last_seen_us"])),
            ("wanted", state["desired"]),
            ("reported", state["reported"]),
            ("not yet so", state["delta"]),
        ]
    )
    typer.echo()
    show(
        tasks,
        [
            ("Command", "command"),
            ("With", "parameters"),
            ("State", "state"),
            ("Sent (UTC)", lambda t: moment(t["sent_us"])),
            ("Said", "message"),
        ],
        "No commands yet.",
    )


@app.command()
def desire(
    name: Name,
    state: Annotated[str, typer.Argument(help="JSON object that replaces what is wanted now.")],
    *,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Set what a device is wanted to be; it is told now, or when it comes back."""
    import msgspec

    try:
        document = msgspec.json.decode(state, type=dict[str, Any])
    except msgspec.DecodeError as error:
        msg = (
            f"{state[:80]!r} is not a JSON object ({error}); an example is '{{\"interval_s\": 10}}'"
        )
        raise InvalidInput(msg) from error
    answer = ask("PUT", url, f"/devices/{quoted(name)}/state/desired", document)
    if as_json:
        print_json(answer)
        return
    typer.echo(f"{name} is wanted to be {text(answer['desired'])}.")


@app.command()
def targets(name: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show what a device is and was fixed to."""
    found = ask("GET", url, f"/devices/{quoted(name)}/targets")["items"]
    if as_json:
        print_json(found)
        return
    show(
        found,
        [
            ("Target", lambda a: a["target"]["name"]),
            ("From (UTC)", lambda a: moment(a["from_us"])),
            ("Until (UTC)", lambda a: moment(a["until_us"])),
        ],
        f"{name} was never fixed to a target.",
    )


@app.command()
def track(
    name: Name,
    *,
    start: SinceText = "now-1d",
    end: UntilText = "now",
    limit: Annotated[int, typer.Option(min=2, help="At most so many places, thinned.")] = 100,
    form: Annotated[TrackFormat, typer.Option("--format")] = TrackFormat.TABLE,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show where a device was."""
    query: dict[str, object] = {"from": start, "to": end, "limit": limit}
    if form is TrackFormat.GEOJSON:
        query["format"] = form
    found = ask("GET", url, f"/devices/{quoted(name)}/track", **query)
    if as_json or form is TrackFormat.GEOJSON:
        print_json(found)
        return
    places = zip(found["time_us"], found["position"], strict=True)
    show(
        [{"time": moment(time), "at": position} for time, position in places],
        [
            ("Time (UTC)", "time"),
            ("Longitude", lambda p: f"{p['at'][0]:.6f}"),
            ("Latitude", lambda p: f"{p['at'][1]:.6f}"),
        ],
        f"Nothing is known of where {name} was.",
    )


def _decide(url: str, name: str, decision: str) -> Any:
    return ask("POST", url, f"/devices/{quoted(name)}/{decision}")


def _each(names: Sequence[str], what: str, act: Callable[[str], Any], *, as_json: bool) -> None:
    """Do something with one device after the other, and say of each when it is done."""
    done = []
    for name in names:
        done.append(act(name) or {"name": name})
        if not as_json:
            typer.echo(f"{name} {what}.")
    if as_json:
        print_json(done)


def _online(device: Any) -> str:
    online = device.get("online")
    return "" if online is None else "online" if online else "offline"


def _ago(time_us: int | None) -> str:
    return "" if time_us is None else f"{ago(time_us)} ago"


def _since(time_us: int | None) -> str:
    return "" if time_us is None else f"{moment(time_us)} UTC, {ago(time_us)} ago"


def _with_unit(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:g} {unit}"
