"""`penstock clients`: programs and devices that act for a system."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from penstock.cli import finding
from penstock.cli.hub import DEFAULT_URL, AsJson, Url, Yes, ask, confirm, pages, print_json, tell
from penstock.cli.keys import show_secret
from penstock.cli.tables import show, show_one, when
from penstock.core.errors import InvalidInput

app = typer.Typer(
    name="clients",
    help="Clients: programs and devices that publish and subscribe for a system.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="SYSTEM/CLIENT, or CLIENT of the default system.")]


class Rights(StrEnum):
    """What a client may do."""

    READ = "read"
    WRITE = "write"
    BOTH = "both"


May = Annotated[Rights, typer.Option("--may", help="Whether it reads, writes or does both.")]
Topics = Annotated[
    list[str] | None,
    typer.Option("--topic", help="Hold it to this topic filter; may be repeated."),
]


@app.command("list")
def list_clients(
    search: str = "",
    *,
    system: Annotated[str | None, typer.Option(help="Only those of this system.")] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show the clients that you may see."""
    home = None if system is None else finding.system(url, system)
    clients = list(pages(url, "/clients", search=search, system=home))
    if as_json:
        print_json(clients)
        return
    show(
        clients,
        [
            ("Client", lambda c: f"{c['system']}/{c['name']}"),
            ("May", _rights),
            ("Held to", "topics"),
            ("Disabled", "disabled"),
            ("Description", "description"),
        ],
        "No clients.",
    )


@app.command("get")
def get_client(name: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show a client and its keys."""
    id_ = finding.client(url, name)
    client = ask("GET", url, f"/clients/{id_}")
    keys = ask("GET", url, "/keys", client=id_)["items"]
    if as_json:
        print_json({**client, "keys": keys})
        return
    valid = [k for k in keys if k["revoked_us"] is None]
    show_one(
        [
            ("client", f"{client['system']}/{client['name']}"),
            ("description", client["description"]),
            ("may", _rights(client)),
            ("held to", client["topics"]),
            ("disabled", client["disabled"] or None),
            ("keys", [f"{key['id']} ({key['hint']}...)" for key in valid]),
        ]
    )


@app.command()
def add(
    name: Name,
    *,
    may: May = Rights.BOTH,
    topic: Topics = None,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    no_key: Annotated[bool, typer.Option("--no-key", help="Make no key yet.")] = False,
    expires: Annotated[
        str | None, typer.Option(help="When its key ends: 90d, 1y, 2027-01-31.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make a client and its first key, which is shown this once."""
    home, _, plain = name.rpartition("/")
    expires_us = when(expires)
    document = {
        "system": finding.system(url, home or "default"),
        "name": plain,
        "description": description,
        "may_read": may is not Rights.WRITE,
        "may_write": may is not Rights.READ,
        "topics": topic,
    }
    client = ask("POST", url, "/clients", document)
    issued = None
    if not no_key:
        issued = ask("POST", url, "/keys", {"client": client["id"], "expires_us": expires_us})
    if as_json:
        print_json({**client, "issued": issued})
        return
    typer.echo(f"Client {client['system']}/{client['name']} is made.")
    if issued is not None:
        show_secret(issued)


@app.command()
def change(
    name: Name,
    *,
    may: Annotated[Rights | None, typer.Option("--may", help="What it may do.")] = None,
    topic: Topics = None,
    all_topics: Annotated[
        bool, typer.Option("--all-topics", help="Hold it to no topics but its system's.")
    ] = False,
    disabled: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Keep it out, or let it in again.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Change what a client may do; it holds at once."""
    document: dict[str, Any] = {}
    if may is not None:
        document |= {"may_read": may is not Rights.WRITE, "may_write": may is not Rights.READ}
    if topic or all_topics:
        document["topics"] = None if all_topics else topic
    if disabled is not None:
        document["disabled"] = disabled
    if not document:
        msg = "nothing to change; say --may, --topic, --all-topics, --disable or --enable"
        raise InvalidInput(msg)
    answer = ask("PATCH", url, f"/clients/{finding.client(url, name)}", document)
    tell(f"{name} is changed.", answer, as_json=as_json)


@app.command()
def delete(
    name: Name, *, yes: Yes = False, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Remove a client and its keys, at once; its data stays."""
    id_ = finding.client(url, name)
    confirm(f"Remove client {name} and its keys?", yes=yes)
    answer = ask("DELETE", url, f"/clients/{id_}")
    tell(f"{name} is removed.", answer, as_json=as_json)


def _rights(client: Any) -> str:
    if client["may_read"] and client["may_write"]:
        return "read and write"
    return "read" if client["may_read"] else "write" if client["may_write"] else "nothing"
