"""`penstock alarm-rules`: what alarms are raised for."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.finding import specified
from penstock.cli.hub import (
    DEFAULT_URL,
    AsJson,
    Url,
    Yes,
    ask,
    asking_long,
    confirm,
    print_json,
    read_text,
    send_text,
    tell,
)
from penstock.cli.tables import duration, moment, show, show_one
from penstock.core.errors import InvalidInput

app = typer.Typer(
    name="alarm-rules",
    help="Alarm rules: a query, when it raises and clears, and who is told.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Name or id of the rule.")]
File = Annotated[
    Path, typer.Argument(help="Rules as text: `-- alarm: name` and a SELECT; `-` reads input.")
]
#: Seconds between two looks at a backtest.
LOOK_EVERY_S = 0.2


@app.command("list")
def list_rules(*, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show the rules and how they fare."""
    found = ask("GET", url, "/alarm-rules")["items"]
    if as_json:
        print_json(found)
        return
    show(
        found,
        [
            ("Rule", "id"),
            ("Name", lambda r: r["spec"]["name"]),
            ("System", lambda r: r["spec"]["system"]),
            ("Severity", lambda r: r["spec"]["severity"]),
            ("State", _state),
            ("Active", "active"),
            ("Rows", lambda r: (r["run"] or {}).get("rows_out")),
        ],
        "No alarm rules; `penstock alarm-rules add FILE` makes one.",
    )


@app.command("show")
def show_rule(name: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show one rule: its text, and how it fares."""
    found = _find(url, name)
    if as_json:
        print_json(found)
        return
    with asking_long(url, f"/alarm-rules/{found['id']}", format="text") as answer:
        answer.read()
        typer.echo(answer.text)
    show_one(
        [
            ("State", _state(found)),
            ("Reason", found["mode_reason"]),
            ("Active", found["active"]),
            ("Runs as", found["sql"]),
            ("Changed (UTC)", moment(found["changed_us"])),
            ("By", found["by"]),
        ]
    )


@app.command()
def add(file: File, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Make the rules of a file, or change those of the same name."""
    found = send_text(url, "/alarm-rules/import", read_text(file))["items"]
    if as_json:
        print_json(found)
        return
    for rule in found:
        typer.echo(f"Rule {rule['id']}, {rule['spec']['name']}, is {_state(rule)}.")


@app.command()
def export(*, url: Url = DEFAULT_URL) -> None:
    """Print all rules as text, which `add` takes."""
    with asking_long(url, "/alarm-rules/export") as answer:
        answer.read()
        sys.stdout.write(answer.text)


@app.command()
def enable(name: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Watch a rule from now on."""
    found = _find(url, name)
    _done(ask("POST", url, f"/alarm-rules/{found['id']}/enable"), as_json)


@app.command()
def disable(name: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Stop watching a rule; its active alarms are withdrawn."""
    found = _find(url, name)
    _done(ask("POST", url, f"/alarm-rules/{found['id']}/disable"), as_json)


@app.command()
def mode(
    name: Name,
    to: Annotated[str, typer.Argument(help="normal, suppressed, or out-of-service.")],
    *,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Suppress the alarms of a rule, take it out of service, or go back to normal."""
    found = _find(url, name)
    body = {"mode": to.replace("-", " "), "reason": reason}
    _done(ask("PUT", url, f"/alarm-rules/{found['id']}/mode", body), as_json)


@app.command()
def delete(
    name: Name, *, yes: Yes = False, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Delete a rule and its alarms."""
    found = _find(url, name)
    confirm(f"Delete rule {found['spec']['name']} with its alarms?", yes=yes)
    answer = ask("DELETE", url, f"/alarm-rules/{found['id']}")
    tell(f"{found['spec']['name']} is deleted.", answer, as_json=as_json)


@app.command()
def backtest(
    name: Annotated[str, typer.Argument(help="Name or id of a rule, or a file with one.")],
    *,
    from_: Annotated[
        str, typer.Option("--from", help="Begin of the range: ISO 8601, or now-1d.")
    ] = "now-1d",
    to: Annotated[str, typer.Option("--to", help="End of the range, not included.")] = "now",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show what a rule would have raised over a range of the past. Ctrl-C cancels it."""
    body: dict[str, Any] = {"from": from_, "to": to}
    if name == "-" or Path(name).is_file():
        begun = ask("POST", url, "/alarm-rules/backtests", {**body, "text": read_text(Path(name))})
    else:
        begun = ask("POST", url, f"/alarm-rules/{_find(url, name)['id']}/backtest", body)
    path = f"/alarm-rules/backtests/{begun['id']}"
    try:
        while begun["state"] == "running":
            time.sleep(LOOK_EVERY_S)
            begun = ask("GET", url, path)
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{begun['progress']:.0%} ")
    except KeyboardInterrupt:
        _show_backtest(ask("DELETE", url, path), as_json)
        raise
    _show_backtest(begun, as_json)


def _show_backtest(found: dict[str, Any], as_json: bool) -> None:
    """Show what a backtest found, also when somebody cancelled it."""
    if as_json:
        print_json(found)
        return
    if found["state"] == "failed":
        raise InvalidInput(found["message"])
    is_cancelled = found["state"] == "cancelled"
    if is_cancelled:
        ended = moment(found["ended_us"])
        typer.echo(f"Cancelled at {found['progress']:.0%}, {ended} UTC. Until then it found:")
    show(
        found["episodes"],
        [
            ("Raised (UTC)", lambda e: moment(e["span"]["raised_us"])),
            ("Returned (UTC)", lambda e: moment(e["span"]["cleared_us"])),
            ("Times", lambda e: e["span"]["occurrences"]),
            ("Told", _told),
            ("Subject", "subject"),
            ("Message", "message"),
        ],
        "Nothing." if is_cancelled else "It would have raised nothing.",
    )
    typer.echo(
        f"{found['count']} episodes of {found['keys']} subjects, active for "
        f"{duration(found['active_s'])} in all, the longest for {duration(found['longest_s'])}; "
        f"{found['rows']} rows looked at. People would have been told of {found['told']}."
    )
    if found["suppressed_s"]:
        typer.echo(f"Other rules suppress {duration(found['suppressed_s'])} of it.")


def _told(episode: Any) -> str:
    if episode["flapping"]:
        return "no: flapping"
    if not episode["is_told"]:
        return "no: suppressed"
    return "later" if _is_late(episode) else "yes"


def _is_late(episode: Any) -> bool:
    return any(start == episode["span"]["raised_us"] for start, _ in episode["suppressed"])


def _done(rule: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(rule)
        return
    typer.echo(f"Rule {rule['id']}, {rule['spec']['name']}, is {_state(rule)}.")


def _find(url: str, name: str) -> dict[str, Any]:
    return specified(url, "/alarm-rules", "alarm rule", name, "alarm-rules list")


def _state(rule: Any) -> str:
    if not rule["enabled"]:
        return "disabled"
    if rule["trouble"]:
        return f"not watched: {rule['trouble']}"
    run = (rule["run"] or {}).get("state", "waiting")
    quiet = [rule["mode"]] if rule["mode"] != "normal" else []
    quiet += [f"suppressed by {', '.join(rule['suppressing'])}"] if rule["suppressing"] else []
    return ", ".join([run, *quiet])
