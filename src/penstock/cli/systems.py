"""`penstock systems`: systems and their agents."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.cli import finding
from penstock.cli.companies import member, names
from penstock.cli.hub import DEFAULT_URL, AsJson, Url, Yes, ask, confirm, pages, print_json, tell
from penstock.cli.tables import show, show_one

app = typer.Typer(
    name="systems",
    help="Systems, DOMAIN.ENTERPRISE.WORKCENTER.STATION, and their agents.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Name of the system, like `cz.icecars.CarFleet.Car1`.")]
UserName = Annotated[str, typer.Argument(help="Name of the user.")]


@app.command("list")
def list_systems(search: str = "", *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show the systems that you may see."""
    systems = list(pages(url, "/systems", search=search))
    if as_json:
        print_json(systems)
        return
    show(
        systems,
        [
            ("System", "name"),
            ("Agents", lambda s: names(s["agents"])),
            ("Further topics", "topics"),
            ("Description", "description"),
        ],
        "No systems.",
    )


@app.command("get")
def get_system(name: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show a system."""
    system = finding.find(url, "/systems", "system", name)
    if as_json:
        print_json(system)
        return
    show_one(
        [
            ("system", system["name"]),
            ("company", system["company"]),
            ("description", system["description"]),
            ("agents", names(system["agents"])),
            ("topics", [f"{system['name']}/#", *system["topics"]]),
            ("made by", system["created_by"]),
        ]
    )


@app.command()
def add(
    name: Name,
    *,
    description: Annotated[str, typer.Option(help="For people.")] = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make a system of a company; you become its agent."""
    from penstock.core.organisation import check_system_name

    company, workcenter, station = check_system_name(name).rsplit(".", 2)
    document = {
        "company": finding.company(url, company),
        "workcenter": workcenter,
        "station": station,
        "description": description,
    }
    system = ask("POST", url, "/systems", document)
    if as_json:
        print_json(system)
        return
    typer.echo(
        f"System {system['name']} is made. Its clients publish below {system['name']}/; "
        f"`penstock clients add {system['name']}/NAME` makes one."
    )


@app.command()
def topics(
    name: Name,
    filters: Annotated[
        list[str] | None, typer.Argument(help="Topic filters; none of them takes all away.")
    ] = None,
    *,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Set the topics that a system owns beside those below its name; for administrators."""
    id_ = finding.system(url, name)
    system = ask("PATCH", url, f"/systems/{id_}", {"topics": filters or []})
    owned = ", ".join([f"{system['name']}/#", *system["topics"]])
    tell(f"{system['name']} owns {owned}.", system, as_json=as_json)


@app.command("add-agent")
def add_agent(
    system: Name, user: UserName, *, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Make a user agent of a system."""
    answer = ask("POST", url, f"/systems/{finding.system(url, system)}/agents", {"user": user})
    tell(f"{user} is agent of {system}.", answer, as_json=as_json)


@app.command("remove-agent")
def remove_agent(
    system: Name, user: UserName, *, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Take the role of agent from a user; not from yourself."""
    found = finding.find(url, "/systems", "system", system)
    id_ = member(found["agents"], user, f"agent of {system}")
    answer = ask("DELETE", url, f"/systems/{found['id']}/agents/{id_}")
    tell(f"{user} is no longer agent of {system}.", answer, as_json=as_json)


@app.command()
def delete(
    name: Name,
    *,
    move_things: Annotated[
        bool,
        typer.Option("--move-things", help="Keep its devices and data, in the default system."),
    ] = False,
    yes: Yes = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Remove a system that has no clients, no devices and no other agents."""
    id_ = finding.system(url, name)
    confirm(f"Remove system {name}?", yes=yes)
    answer = ask("DELETE", url, f"/systems/{id_}", move_things=move_things or None)
    tell(f"{name} is removed.", answer, as_json=as_json)
