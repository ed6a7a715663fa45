"""`penstock users`: who may sign in."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli import finding
from penstock.cli.hub import DEFAULT_URL, AsJson, Url, Yes, ask, confirm, pages, print_json, tell
from penstock.cli.tables import show, time_of
from penstock.core.errors import InvalidInput, NotFound

app = typer.Typer(
    name="users",
    help="Users: people who may sign in. The first one switches accounts on.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Name of the user.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@app.command("list")
def list_users(search: str = "", *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show the users that you may see."""
    users = list(pages(url, "/users", search=search))
    if as_json:
        print_json(users)
        return
    show(
        users,
        [
            ("User", "name"),
            ("Called", "display_name"),
            ("Administrator", "administrator"),
            ("Disabled", "disabled"),
            ("Since (UTC)", time_of("created_us")),
        ],
        "There is no user that you may see.",
    )


@app.command()
def add(
    name: Name,
    *,
    display_name: Annotated[str, typer.Option("--called", help="Full name.")] = "",
    administrator: Annotated[
        bool, typer.Option("--administrator", help="Runs the platform and may do everything.")
    ] = False,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="Comes with keys only.")
    ] = False,
    password_stdin: PasswordStdin = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir", help="Work on the folder of a Penstock that is not running instead."
        ),
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make a user. The first of all becomes administrator, and from then on all must sign in."""
    password = None if no_password else _new_password(from_stdin=password_stdin)
    document = {
        "name": name,
        "password": password,
        "display_name": display_name,
        "administrator": administrator,
    }
    user = (
        ask("POST", url, "/users", document) if data_dir is None else _at_rest(data_dir, document)
    )
    if as_json:
        print_json(user)
        return
    role = "administrator of the platform" if user["administrator"] else "user"
    typer.echo(f"{user['name']} is {role}. `penstock login {user['name']}` signs in.")


@app.command()
def password(
    name: Annotated[str | None, typer.Argument(help="Whose; your own if not given.")] = None,
    *,
    password_stdin: PasswordStdin = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Set a password; whoever is signed in with the old one is signed out.

    With --password-stdin, one's own old password comes on the first line, the new one behind.
    """
    me = ask("GET", url, "/session")
    own = name is None or name == me["name"]
    old = None
    if own:
        old = sys.stdin.readline().rstrip("\r\n") if password_stdin else _hidden("Old password")
    new = _new_password(from_stdin=password_stdin)
    user = me["id"] if own else finding.user(url, name or "")
    answer = ask("PUT", url, f"/users/{user}/password", {"new": new, "old": old})
    tell("The password is set; sign in with it: `penstock login`.", answer, as_json=as_json)


@app.command()
def disable(name: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Keep a user out, at once; everything of theirs stays."""
    answer = ask("PATCH", url, f"/users/{finding.user(url, name)}", {"disabled": True})
    tell(f"{name} may not come in.", answer, as_json=as_json)


@app.command()
def enable(name: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Let a disabled user in again."""
    answer = ask("PATCH", url, f"/users/{finding.user(url, name)}", {"disabled": False})
    tell(f"{name} may come in.", answer, as_json=as_json)


@app.command()
def delete(
    name: Name, *, yes: Yes = False, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Remove a user for good."""
    user = finding.user(url, name)
    confirm(f"Remove user {name}?", yes=yes)
    answer = ask("DELETE", url, f"/users/{user}")
    tell(f"{name} is removed.", answer, as_json=as_json)


@app.command()
def register(
    name: Name,
    *,
    display_name: Annotated[str, typer.Option("--called", help="Full name.")] = "",
    note: Annotated[str, typer.Option(help="What the administrator should know.")] = "",
    password_stdin: PasswordStdin = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make yourself a user, where the platform lets people register."""
    document = {
        "name": name,
        "password": _new_password(from_stdin=password_stdin),
        "display_name": display_name,
        "note": note,
    }
    answer = ask("POST", url, "/register", document)
    is_user = answer["status"] == "user"
    said = f"{name} is a user." if is_user else "An administrator looks at it."
    tell(f"{said} Then `penstock login {name}` signs in.", answer, as_json=as_json)


@app.command()
def waiting(*, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show who wants to become a user and waits for approval."""
    found = _waiting(url)
    if as_json:
        print_json(found)
        return
    show(
        found,
        [
            ("Name", "name"),
            ("Called", "display_name"),
            ("Note", "note"),
            ("From", "address"),
            ("When (UTC)", time_of("at_us")),
        ],
        "Nobody waits for approval.",
    )


@app.command()
def approve(name: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Make somebody who waits a user, with the password that they chose."""
    answer = ask("POST", url, f"/registrations/{_registration(url, name)}/approve")
    tell(f"{name} is a user now; add them to companies and systems.", answer, as_json=as_json)


@app.command()
def refuse(name: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Forget somebody who waits; they are not told."""
    answer = ask("DELETE", url, f"/registrations/{_registration(url, name)}")
    tell(f"{name} waits no more.", answer, as_json=as_json)


def _waiting(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask("GET", url, "/registrations")["items"]
    return found


def _registration(url: str, name: str) -> int:
    for one in _waiting(url):
        if one["name"] == name.strip().lower():
            return int(one["id"])
    msg = f"nobody called {name!r} waits for approval; `penstock users waiting` lists who does"
    raise NotFound(msg)


def _new_password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return _hidden("New password", confirmation_prompt=True)


def _hidden(question: str, *, confirmation_prompt: bool = False) -> str:
    if not sys.stdin.isatty():
        msg = "there is no terminal to ask for the password; say --password-stdin"
        raise InvalidInput(msg)
    return str(
        typer.prompt(question, hide_input=True, confirmation_prompt=confirmation_prompt, err=True)
    )


def _at_rest(data_dir: Path, document: dict[str, Any]) -> dict[str, Any]:
    import msgspec

    from penstock.core.people import NewUser
    from penstock.runtime import config
    from penstock.runtime.people import add_user_at_rest

    settings = config.load(overrides={"data_dir": str(data_dir)})
    user = add_user_at_rest(settings, msgspec.convert(document, NewUser))
    return msgspec.structs.asdict(user)
