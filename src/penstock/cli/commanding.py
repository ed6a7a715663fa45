"""`penstock devices sleep`, `awake`, `change-sample-frequency`: tell devices what to do."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from penstock.cli.completing import device_names
from penstock.cli.devices import app
from penstock.cli.hub import DEFAULT_URL, AsJson, Url, Yes, ask, confirm, print_json
from penstock.cli.tables import show
from penstock.core.errors import InvalidInput, NotFound

#: Type that `--all` means when none is named: those that sleep and wake up.
ACCELEROMETER = "accelerometer"
#: Exit code when a device did not do what it was told.
NOT_DONE = 7

Names = Annotated[
    list[str] | None,
    typer.Argument(help="Names of devices; or --all.", autocompletion=device_names),
]
All = Annotated[bool, typer.Option("--all", help="Every device of the type.")]
Type = Annotated[str, typer.Option("--type", help="Type of devices that --all means.")]
Wait = Annotated[
    float,
    typer.Option("--wait", min=0, help="Seconds to wait for the devices to have done it; 0: none."),
]


@app.command()
def sleep(
    names: Names = None,
    *,
    every: All = False,
    type_: Type = ACCELEROMETER,
    wait: Wait = 10.0,
    yes: Yes = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Stop devices measuring until they are woken."""
    _tell(url, "sleep", {}, names, every, type_, wait, yes=yes, as_json=as_json)


@app.command()
def awake(
    names: Names = None,
    *,
    every: All = False,
    type_: Type = ACCELEROMETER,
    wait: Wait = 10.0,
    yes: Yes = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Wake devices that sleep."""
    _tell(url, "awake", {}, names, every, type_, wait, yes=yes, as_json=as_json)


@app.command("change-sample-frequency")
@app.command("set-frequency", help="The same as change-sample-frequency, shorter.")
def set_frequency(
    frequency: Annotated[float, typer.Argument(help="Samples per second.", metavar="HZ")],
    names: Names = None,
    *,
    every: All = False,
    type_: Type = ACCELEROMETER,
    wait: Wait = 10.0,
    yes: Yes = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Set how often devices measure."""
    parameters = {"sampleFrequency": frequency}
    _tell(
        url, "change_sample_frequency", parameters, names, every, type_, wait,
        yes=yes, as_json=as_json,
    )  # fmt: skip


@app.command()
def command(
    name: Annotated[str, typer.Argument(help="Command that the type of the devices declares.")],
    names: Names = None,
    *,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--set", help="A parameter, NAME=VALUE; may be repeated."),
    ] = None,
    every: All = False,
    type_: Annotated[str, typer.Option("--type", help="Type of devices that --all means.")] = "",
    wait: Wait = 10.0,
    yes: Yes = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Send any command that devices understand; `devices types` shows which."""
    parameters = dict(map(_parameter, parameter or []))
    _tell(url, name, parameters, names, every, type_, wait, yes=yes, as_json=as_json)


@app.command()
def types(*, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show device types, their commands and parameters."""
    found = ask("GET", url, "/device-types")["items"]
    if as_json:
        print_json(found)
        return
    rows = [{"type": one["name"], **command} for one in found for command in one["commands"]]
    show(
        rows,
        [
            ("Type", "type"),
            ("Command", "name"),
            ("Parameters", lambda c: [_described(p) for p in c["parameters"]]),
            ("What it does", "description"),
        ],
        "No device type declares commands.",
    )


def _tell(
    url: str,
    what: str,
    parameters: Mapping[str, object],
    names: list[str] | None,
    every: bool,
    type_: str,
    wait_s: float,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    if every == bool(names):
        msg = "name the devices, or say --all"
        raise InvalidInput(msg)
    document: dict[str, Any] = {"command": what, "parameters": parameters}
    if every:
        kind = f" of type {type_}" if type_ else ""
        confirm(f"Send {what} to all devices{kind}?", yes=yes)
        document |= {"all": True, "type": type_}
    else:
        document["devices"] = names
    tasks = ask("POST", url, "/commands", document)["items"]
    if not tasks:
        msg = f"there is no device of type {type_!r} that you may command"
        raise NotFound(msg)
    ended = [_ended(url, task, deadline) for task in tasks] if (deadline := _in(wait_s)) else tasks
    if as_json:
        print_json(ended)
    else:
        show(
            ended,
            [("Device", "device"), ("Command", "command"), ("State", "state"), ("Said", "message")],
            "",
        )
    failed = [task for task in ended if task["state"] in ("failed", "expired")]
    if failed or (wait_s and any(task["state"] != "done" for task in ended)):
        sys.exit(NOT_DONE)


def _in(seconds: float) -> float:
    return time.monotonic() + seconds if seconds else 0.0


def _ended(url: str, task: dict[str, Any], deadline: float) -> dict[str, Any]:
    """Return a task as it is when it has ended, or when there is no more time."""
    left_s = max(0.0, deadline - time.monotonic())
    while task["state"] not in ("done", "failed", "expired") and left_s > 0:
        task = ask("GET", url, f"/tasks/{task['id']}", wait_s=min(left_s, 30.0))
        left_s = deadline - time.monotonic()
    return task


def _parameter(given: str) -> tuple[str, object]:
    import msgspec

    name, separator, value = given.partition("=")
    if not (name and separator):
        msg = f"{given!r} is not a parameter; an example is --set sampleFrequency=500"
        raise InvalidInput(msg)
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value


def _described(parameter: Mapping[str, Any]) -> str:
    limits = [
        f"{sign}{parameter[edge]:g}"
        for sign, edge in ((">", "above"), ("\N{GREATER-THAN OR EQUAL TO}", "minimum"),
                           ("\N{LESS-THAN OR EQUAL TO}", "maximum"))
        if parameter.get(edge) is not None
    ]  # fmt: skip
    allowed = " | ".join(map(str, parameter["values"])) or " and ".join(limits)
    unit = f" {parameter['unit']}" if parameter["unit"] else ""
    return f"{parameter['name']}: {parameter['kind']}{unit} {allowed}".rstrip()
