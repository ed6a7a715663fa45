"""`penstock notifications`: who is told of alarms, and what they were told."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from penstock.cli.finding import specified
from penstock.cli.hub import DEFAULT_URL, AsJson, Url, Yes, ask, confirm, print_json, tell
from penstock.cli.tables import moment, show

app = typer.Typer(
    name="notifications",
    help="Notifications: who is told of alarms, and what they were told.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Name or id of the target.")]


@app.command("targets")
def list_targets(*, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show who is told."""
    found = ask("GET", url, "/notification-targets")["items"]
    if as_json:
        print_json(found)
        return
    show(
        found,
        [
            ("Target", "id"),
            ("Name", lambda t: t["spec"]["name"]),
            ("System", lambda t: t["spec"]["system"]),
            ("Kind", lambda t: t["spec"]["kind"]),
            ("Address", lambda t: t["spec"]["address"]),
            ("From", lambda t: t["spec"]["severity"]),
            ("Rules", lambda t: t["spec"]["rules"]),
            ("Enabled", lambda t: t["spec"]["enabled"]),
        ],
        "Nobody is told; `penstock notifications add` makes a target.",
    )


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the target.")],
    kind: Annotated[str, typer.Argument(help="webhook, mail or mqtt.")],
    address: Annotated[str, typer.Argument(help="URL, mail addresses, or topic.")],
    *,
    severity: Annotated[
        str, typer.Option(help="Alarms of at least: low, medium, high, critical.")
    ] = "low",
    rule: Annotated[
        list[str] | None, typer.Option(help="Of this rule only; may be repeated.")
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(help="Of this only: raise, return, acknowledge, ...; may be repeated."),
    ] = None,
    secret: Annotated[
        str,
        typer.Option(envvar="PENSTOCK_WEBHOOK_SECRET", help="Key that webhooks are signed with."),
    ] = "",
    system: Annotated[str, typer.Option(help="Its system; yours if you have only one.")] = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make a target."""
    body: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "address": address,
        "severity": severity,
        "rules": rule or [],
        "secret": secret,
        "system": system,
    }
    if event:
        body["events"] = event
    found = ask("POST", url, "/notification-targets", body)
    if as_json:
        print_json(found)
        return
    typer.echo(f"Target {found['id']}, {name}, is made.")


@app.command()
def change(
    target: Name,
    *,
    address: Annotated[str | None, typer.Option(help="URL, mail addresses, or topic.")] = None,
    severity: Annotated[
        str | None, typer.Option(help="Alarms of at least: low, medium, high, critical.")
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option(help="Of this rule only; may be repeated.")
    ] = None,
    every_rule: Annotated[bool, typer.Option("--every-rule", help="Of all rules again.")] = False,
    event: Annotated[
        list[str] | None,
        typer.Option(help="Of this only: raise, return, acknowledge, ...; may be repeated."),
    ] = None,
    secret: Annotated[str, typer.Option(help="Another key that webhooks are signed with.")] = "",
    enabled: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Whether it is told at all.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Change what is given of a target; the rest stays."""
    held = _find(url, target)
    given = {
        "address": address,
        "severity": severity,
        "rules": [] if every_rule else rule,
        "events": event,
        "enabled": enabled,
    }
    known = {name: value for name, value in given.items() if value is not None}
    body = {**held["spec"], "secret": secret, **known}
    found = ask("PUT", url, f"/notification-targets/{held['id']}", body)
    if as_json:
        print_json(found)
        return
    typer.echo(f"Target {found['id']}, {found['spec']['name']}, is changed.")


@app.command("test")
def send_test(target: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Send a target a test."""
    found = ask("POST", url, f"/notification-targets/{_find(url, target)['id']}/test")
    if as_json:
        print_json(found)
        return
    typer.echo(f"{found['state']}: {found['outcome']}")


@app.command()
def delete(
    target: Name, *, yes: Yes = False, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Delete a target and the record of what it was told."""
    found = _find(url, target)
    confirm(f"Delete target {found['spec']['name']}?", yes=yes)
    answer = ask("DELETE", url, f"/notification-targets/{found['id']}")
    tell(f"{found['spec']['name']} is deleted.", answer, as_json=as_json)


@app.command("list")
def list_notifications(
    *,
    target: Annotated[str | None, typer.Option(help="Of this target only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show what was sent and what waits, newest first."""
    path = "/notifications"
    if target is not None:
        path = f"/notification-targets/{_find(url, target)['id']}/deliveries"
    found = ask("GET", url, path, limit=limit)["items"]
    if as_json:
        print_json(found)
        return
    targets = ask("GET", url, "/notification-targets")["items"]
    names = {one["id"]: one["spec"]["name"] for one in targets}
    show(
        found,
        [
            ("Time (UTC)", lambda d: moment(d["created_us"])),
            ("Target", lambda d: names.get(d["target_id"], d["target_id"])),
            ("Alarm", "alarm_id"),
            ("Event", "event"),
            ("State", "state"),
            ("Attempts", "attempts"),
            ("Outcome", "outcome"),
        ],
        "Nobody was told anything.",
    )


def _find(url: str, name: str) -> dict[str, Any]:
    return specified(url, "/notification-targets", "target", name, "notifications targets")
