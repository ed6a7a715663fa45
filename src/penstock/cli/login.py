"""`penstock login`, `logout` and `whoami`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from penstock.cli import saved
from penstock.cli.hub import DEFAULT_URL, AsJson, Url, ask, print_json, tell
from penstock.cli.tables import show_one
from penstock.core.errors import InvalidInput, Unauthenticated

Name = Annotated[str | None, typer.Argument(help="Your name; asked for when it is not given.")]


def login(
    name: Name = None,
    *,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    key_stdin: Annotated[
        bool,
        typer.Option("--key-stdin", help="Keep a key read from standard input; no name needed."),
    ] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Sign in; later commands to the same address act for you until `penstock logout`.

    The session is kept in a file that only you can read. Scripts better use a key: PENSTOCK_KEY.
    """
    if key_stdin:
        secret = sys.stdin.readline().strip()
    else:
        name = name or typer.prompt("Name", err=True)
        password = _password(from_stdin=password_stdin)
        # A sign-in of before that is over must not be in the way.
        saved.keep(url, None)
        secret = ask("POST", url, "/session", {"name": name, "password": password})["token"]
    if not secret:
        msg = "no key came on standard input; give one, like `penstock login --key-stdin < file`"
        raise InvalidInput(msg)
    before = saved.read().get(url.rstrip("/").lower())
    saved.keep(url, saved.SignIn(secret, name or ""))
    try:
        me = ask("GET", url, "/session")
    except Unauthenticated:
        saved.keep(url, before)
        raise
    saved.keep(url, saved.SignIn(secret, me["name"]))
    tell(f"You are {me['name']} at {url}.", me, as_json=as_json)


def logout(*, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Sign out, here and at the server."""
    if saved.read().get(url.rstrip("/").lower()) is None:
        tell(f"You are not signed in at {url}.", None, as_json=as_json)
        return
    try:
        ask("DELETE", url, "/session")
    except Unauthenticated:
        pass  # it was over already
    finally:
        saved.keep(url, None)
    tell(f"You are signed out at {url}.", None, as_json=as_json)


def whoami(*, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show for whom commands act at an address, and what they may."""
    me = ask("GET", url, "/session")
    if as_json:
        print_json(me)
        return
    show_one((name.replace("_", " "), value) for name, value in me.items())


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        msg = "there is no terminal to ask for the password; say --password-stdin"
        raise InvalidInput(msg)
    return str(typer.prompt("Password", hide_input=True, err=True))
