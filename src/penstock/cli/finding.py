"""Names that people type, found as ids: `find_company`, `find_system` and so on."""

from __future__ import annotations

from typing import Any

from penstock.cli.hub import ask, pages
from penstock.core.errors import InvalidInput, NotFound


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


def specified(url: str, path: str, what: str, name: str, listed_by: str) -> dict[str, Any]:
    """Return the app, rule or target of this name or id; names are unique in a system only.

    Args:
        url: Where Penstock is.
        path: Where they are.
        what: What they are, for people.
        name: Name, or id.
        listed_by: The command that lists them.

    Raises:
        NotFound: There is none that you may see.
        InvalidInput: Several systems have one of this name.
    """
    items = ask("GET", url, path)["items"]
    found = [one for one in items if name in (one["spec"]["name"], str(one["id"]))]
    if not found:
        msg = f"there is no {what} {name!r} that you may see; `penstock {listed_by}` shows those"
        raise NotFound(msg)
    if len(found) > 1:
        ids = ", ".join(f"{one['id']} of {one['spec']['system']}" for one in found)
        msg = f"there are several with the name {name!r}; say the id of one: {ids}"
        raise InvalidInput(msg)
    return dict(found[0])


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
