"""`penstock grants`: what systems let each other read."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from penstock.cli import finding
from penstock.cli.hub import DEFAULT_URL, AsJson, Url, Yes, ask, confirm, pages, print_json, tell
from penstock.cli.tables import show, time_of, when

app = typer.Typer(
    name="grants",
    help="Grants: what one system lets another read. Nothing is shared without both sides.",
    no_args_is_help=True,
)

Grant = Annotated[int, typer.Argument(help="Id of the grant, as `grants list` shows it.")]
Owner = Annotated[str, typer.Argument(help="System whose data it is.")]
Reader = Annotated[str, typer.Argument(help="System that reads it.")]
Thing = Annotated[int | None, typer.Option("--thing", help="Only the Thing with this id.")]
Datastream = Annotated[
    int | None, typer.Option("--datastream", help="Only the Datastream with this id.")
]
Expires = Annotated[
    str | None, typer.Option("--expires", help="When it ends: 90d, 1y, 2027-01-31; never if left.")
]
Note = Annotated[str, typer.Option("--note", help="For the other side.")]


@app.command("list")
def list_grants(
    *,
    system: Annotated[str | None, typer.Option(help="Only those of this system.")] = None,
    state: Annotated[
        str | None,
        typer.Option(help="requested, offered, in_force, refused, revoked or expired."),
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show the grants of systems that you work with."""
    home = None if system is None else finding.system(url, system)
    grants = list(pages(url, "/grants", system=home, state=state))
    if as_json:
        print_json(grants)
        return
    show(
        grants,
        [
            ("Grant", "id"),
            ("Of", "owner"),
            ("To", "reader"),
            ("What", _what),
            ("State", lambda g: str(g["state"]).replace("_", " ")),
            ("Ends (UTC)", time_of("expires_us")),
            ("Note", "note"),
        ],
        "No grants.",
    )


@app.command()
def request(
    owner: Owner,
    reader: Reader,
    *,
    thing: Thing = None,
    datastream: Datastream = None,
    expires: Expires = None,
    note: Note = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Ask another system to let yours read; an agent of theirs accepts or refuses."""
    _add(url, owner, reader, thing, datastream, expires, note, as_json=as_json)


@app.command()
def offer(
    owner: Owner,
    reader: Reader,
    *,
    thing: Thing = None,
    datastream: Datastream = None,
    expires: Expires = None,
    note: Note = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Let another system read yours, once an agent of theirs accepts."""
    _add(url, owner, reader, thing, datastream, expires, note, as_json=as_json)


@app.command()
def accept(
    grant: Grant, *, expires: Expires = None, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Consent to what the other side asked for or offered."""
    document = {"expires_us": when(expires)}
    _tell(ask("POST", url, f"/grants/{grant}/accept", document), as_json=as_json)


@app.command()
def refuse(grant: Grant, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Say no to what the other side asked for or offered."""
    _tell(ask("POST", url, f"/grants/{grant}/refuse"), as_json=as_json)


@app.command()
def revoke(
    grant: Grant, *, yes: Yes = False, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """End a grant at once, from either side."""
    confirm(f"End grant {grant}?", yes=yes)
    _tell(ask("POST", url, f"/grants/{grant}/revoke"), as_json=as_json)


def _add(
    url: str,
    owner: str,
    reader: str,
    thing: int | None,
    datastream: int | None,
    expires: str | None,
    note: str,
    *,
    as_json: bool,
) -> None:
    document = {
        "owner": owner,
        "reader": reader,
        "thing": thing,
        "datastream": datastream,
        "expires_us": when(expires),
        "note": note,
    }
    _tell(ask("POST", url, "/grants", document), as_json=as_json)


def _tell(grant: dict[str, Any], *, as_json: bool) -> None:
    state = str(grant["state"]).replace("_", " ")
    what = f"{_what(grant)} of {grant['owner']} to {grant['reader']}"
    tell(f"Grant {grant['id']}, {what}: {state}.", grant, as_json=as_json)


def _what(grant: Any) -> str:
    if grant["datastream"] is not None:
        return f"datastream {grant['datastream']}"
    return "everything" if grant["thing"] is None else f"thing {grant['thing']}"
