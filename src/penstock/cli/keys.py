"""`penstock keys`: secrets that stand for a user or a client."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from penstock.cli import finding
from penstock.cli.hub import DEFAULT_URL, AsJson, Url, Yes, ask, confirm, print_json, tell
from penstock.cli.tables import moment, show, time_of, when

app = typer.Typer(
    name="keys",
    help="Keys: secrets that stand for you, a user or a client. Each is shown once.",
    no_args_is_help=True,
)

Key = Annotated[int, typer.Argument(help="Id of the key, as `keys list` shows it.")]
ForUser = Annotated[str | None, typer.Option("--user", help="For this user.")]
ForClient = Annotated[str | None, typer.Option("--client", help="For this client: SYSTEM/CLIENT.")]
Expires = Annotated[
    str | None, typer.Option("--expires", help="When it ends: 90d, 1y, 2027-01-31; never if left.")
]


@app.command("list")
def list_keys(
    *,
    user: ForUser = None,
    client: ForClient = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show your keys, or those of a user or a client."""
    keys = ask("GET", url, "/keys", **_whose(url, user, client))["items"]
    if as_json:
        print_json(keys)
        return
    show(
        keys,
        [
            ("Key", "id"),
            ("Begins with", "hint"),
            ("For", "label"),
            ("Made (UTC)", time_of("created_us")),
            ("By", "created_by"),
            ("Ends (UTC)", time_of("expires_us")),
            ("Revoked (UTC)", time_of("revoked_us")),
            ("Last used (UTC)", time_of("used_us")),
        ],
        "No keys.",
    )


@app.command()
def add(
    *,
    user: ForUser = None,
    client: ForClient = None,
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    expires: Expires = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make a key for yourself, a user or a client; its secret is shown this once."""
    document = {**_whose(url, user, client), "label": label, "expires_us": when(expires)}
    issued = ask("POST", url, "/keys", document)
    if as_json:
        print_json(issued)
        return
    show_secret(issued)


@app.command()
def renew(
    key: Key,
    *,
    overlap: Annotated[
        float, typer.Option(min=0, help="Seconds for which the old one stays valid.")
    ] = 0.0,
    expires: Expires = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make a new key in place of one."""
    document = {"overlap_s": overlap, "expires_us": when(expires)}
    issued = ask("POST", url, f"/keys/{key}/renew", document)
    if as_json:
        print_json(issued)
        return
    show_secret(issued)


@app.command()
def revoke(key: Key, *, yes: Yes = False, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """End a key at once; whoever is connected with it is disconnected."""
    confirm(f"Revoke key {key}?", yes=yes)
    answer = ask("DELETE", url, f"/keys/{key}")
    tell(f"Key {key} is revoked.", answer, as_json=as_json)


def show_secret(issued: dict[str, Any]) -> None:
    """Show a new key: the secret on standard output, what to know on standard error."""
    key = issued["key"]
    ends = f"until {moment(key['expires_us'])} UTC" if key["expires_us"] else "until it is revoked"
    use = (
        "MQTT clients show it as password, HTTP clients as `Authorization: Bearer`"
        if key["client"]
        else "commands take it from PENSTOCK_KEY, HTTP clients show it as `Authorization: Bearer`"
    )
    sys.stderr.write(f"Key {key['id']}, valid {ends}; {use}. It is not shown again:\n")
    sys.stdout.write(f"{issued['secret']}\n")


def _whose(url: str, user: str | None, client: str | None) -> dict[str, int | None]:
    return {
        "user": None if user is None else finding.user(url, user),
        "client": None if client is None else finding.client(url, client),
    }
