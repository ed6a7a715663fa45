"""Names that people type, found as ids: `find_company`, `find_system` and so on."""

from __future__ import annotations

from typing import Any

from penstock.cli.hub import ask, pages
from penstock.core.errors import NotFound


def find(url: str, path: str, what: str, name: str) -> dict[str, Any]:
    """Return the one of a list that has this name, or this id if it is a number.

    Raises:
        NotFound: There is none that you may see.
    """
    if name.isdecimal():
        found: dict[str, Any] = ask("GET", url, f"{path}/{name}")
        return found
    for item in pages(url, path, search=name):
        if str(item["name"]).lower() == name.lower():
            return dict(item)
    msg = f"there is no {what} {name!r} that you may see; `penstock {path[1:]} list` shows those"
    raise NotFound(msg)


def company(url: str, name: str) -> int:
    """Return the id of a company."""
    return int(find(url, "/companies", "company", name)["id"])


def system(url: str, name: str) -> int:
    """Return the id of a system."""
    return int(find(url, "/systems", "system", name)["id"])


def user(url: str, name: str) -> int:
    """Return the id of a user."""
    return int(find(url, "/users", "user", name)["id"])


def client(url: str, name: str) -> int:
    """Return the id of a client, given as `SYSTEM/CLIENT`, or `CLIENT` of the default system."""
    if name.isdecimal():
        return int(ask("GET", url, f"/clients/{name}")["id"])
    home, _, plain = name.rpartition("/")
    for item in pages(url, "/clients", search=plain):
        if item["name"] == plain and item["system"] == (home or "default"):
            return int(item["id"])
    msg = (
        f"there is no client {name!r} that you may see; a client is named SYSTEM/CLIENT, and "
        "`penstock clients list` shows those there are"
    )
    raise NotFound(msg)
