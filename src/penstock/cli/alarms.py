"""`penstock alarms`: what wants attention, and what people do about it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from penstock.cli.hub import DEFAULT_URL, AsJson, Url, ask, asking_long, print_json
from penstock.cli.tables import moment, show, show_one, text, when
from penstock.core.errors import InvalidInput

app = typer.Typer(
    name="alarms",
    help="Alarms: what wants attention, and what is done about it.",
    no_args_is_help=True,
)

AlarmId = Annotated[int, typer.Argument(min=1, help="Id of the alarm.")]
Comment = Annotated[str, typer.Option("--comment", "-c", help="What is to be said.")]


@app.command("list")
def list_alarms(
    *,
    all_: Annotated[bool, typer.Option("--all", help="Those too that are normal again.")] = False,
    severity: Annotated[
        str, typer.Option(help="At least this: low, medium, high, critical.")
    ] = "low",
    mode: Annotated[
        list[str] | None,
        typer.Option(help="Only normal, shelved, suppressed or out-of-service; may be repeated."),
    ] = None,
    rule: Annotated[int | None, typer.Option(help="Of the rule with this id only.")] = None,
    search: Annotated[str, typer.Option(help="Text in subject, message or rule.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show the alarms that want attention, newest first."""
    wanted = [one.replace("-", " ") for one in mode or ()]
    found = ask(
        "GET", url, "/alarms", all=all_, severity=severity, mode=wanted, rule=rule, search=search,
        limit=limit,
    )["items"]  # fmt: skip
    if as_json:
        print_json(found)
        return
    show(
        found,
        [
            ("Alarm", "id"),
            ("Severity", "severity"),
            ("State", _state),
            ("Raised (UTC)", lambda a: moment(a["raised_us"])),
            ("Times", "occurrences"),
            ("Rule", "rule"),
            ("Message", "message"),
        ],
        "No alarms.",
    )


@app.command("show")
def show_alarm(alarm: AlarmId, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show an alarm and what happened to it."""
    found = ask("GET", url, f"/alarms/{alarm}")
    if as_json:
        print_json(found)
        return
    one = found["alarm"]
    facts = ("rule", "subject", "severity", "message", "state", "mode", "occurrences")
    show_one(
        [
            *((name.capitalize(), text(one[name])) for name in facts),
            ("Raised (UTC)", moment(one["raised_us"])),
            ("Returned (UTC)", moment(one["cleared_us"])),
            ("Shelved until (UTC)", moment(one["shelved_until_us"])),
            ("Acknowledged", one["acknowledged_by"] or moment(one["acknowledged_us"])),
        ]
    )
    typer.echo("")
    show(
        found["events"],
        [
            ("Time (UTC)", lambda e: moment(e["time_us"])),
            ("What", "act"),
            ("State", "state"),
            ("Who", "by"),
            ("Comment", "comment"),
        ],
        "Nothing happened to it.",
    )


@app.command()
def ack(
    alarm: AlarmId, *, comment: Comment = "", url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Acknowledge an alarm."""
    _done(ask("POST", url, f"/alarms/{alarm}/acknowledge", {"comment": comment}), as_json)


@app.command()
def reset(
    alarm: AlarmId, *, comment: Comment = "", url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Reset a latched alarm that returned and is acknowledged."""
    _done(ask("POST", url, f"/alarms/{alarm}/reset", {"comment": comment}), as_json)


@app.command("comment")
def comment_alarm(
    alarm: AlarmId,
    comment: Annotated[str, typer.Argument(help="What is to be said.")],
    *,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Write into the history of an alarm."""
    _done(ask("POST", url, f"/alarms/{alarm}/comments", {"comment": comment}), as_json)


@app.command()
def shelve(
    alarm: AlarmId,
    *,
    until: Annotated[str, typer.Option("--for", help="How long: 30min, 2h, 1d; or until when.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Tell nobody of an alarm for some time."""
    until_us, now_us = when(until), when("0s")
    if until_us is None or now_us is None or until_us <= now_us:
        msg = f"--for {until!r} is not in the future"
        raise InvalidInput(msg)
    body = {"for_s": (until_us - now_us) / 1e6, "reason": reason}
    _done(ask("POST", url, f"/alarms/{alarm}/shelve", body), as_json)


@app.command()
def unshelve(alarm: AlarmId, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Tell people of an alarm again."""
    _done(ask("POST", url, f"/alarms/{alarm}/unshelve"), as_json)


@app.command()
def follow(*, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Print what happens to alarms until you press Ctrl+C."""
    import msgspec

    with asking_long(url, "/alarms/stream") as answer:
        for line in answer.iter_lines():
            if not line.startswith("data: "):
                continue
            found = msgspec.json.decode(line[6:])
            if as_json:
                typer.echo(line[6:])
                continue
            one = found["alarm"]
            when_ = moment(one["updated_us"])
            typer.echo(
                f"{when_}  {found['act']:<12} {one['severity']:<9} {one['id']}  {one['message']}"
            )


def _done(alarm: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(alarm)
        return
    typer.echo(f"Alarm {alarm['id']} is {_state(alarm)}.")


def _state(alarm: Any) -> str:
    extra = [alarm["mode"]] if alarm["mode"] != "normal" else []
    extra += ["flapping"] if alarm["flapping"] else []
    return ", ".join([alarm["state"], *extra])
