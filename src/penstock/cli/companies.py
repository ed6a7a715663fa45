"""`penstock companies`: companies and their administrators."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from penstock.cli import finding
from penstock.cli.hub import DEFAULT_URL, AsJson, Url, Yes, ask, confirm, pages, print_json, tell
from penstock.cli.tables import moment, show, show_one

app = typer.Typer(
    name="companies",
    help="Companies, DOMAIN.ENTERPRISE, and their administrators.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Name of the company, like `cz.icecars`.")]
UserName = Annotated[str, typer.Argument(help="Name of the user.")]


@app.command("list")
def list_companies(search: str = "", *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show the companies that you may see."""
    companies = list(pages(url, "/companies", search=search))
    if as_json:
        print_json(companies)
        return
    show(
        companies,
        [
            ("Company", "name"),
            ("Administrators", lambda c: names(c["administrators"])),
            ("Description", "description"),
            # The default company was always there.
            ("Since (UTC)", lambda c: moment(c["created_us"] or None)),
        ],
        "No companies.",
    )


@app.command("get")
def get_company(name: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show a company."""
    company = finding.find(url, "/companies", "company", name)
    if as_json:
        print_json(company)
        return
    show_one(
        [
            ("company", company["name"]),
            ("description", company["description"]),
            ("administrators", names(company["administrators"])),
            ("made by", company["created_by"]),
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
    """Make a company; you become its administrator."""
    company = ask("POST", url, "/companies", {"name": name, "description": description})
    if as_json:
        print_json(company)
        return
    typer.echo(f"Company {company['name']} is made; `penstock systems add` gives it systems.")


@app.command("add-admin")
def add_admin(
    company: Name, user: UserName, *, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Make a user administrator of a company."""
    id_ = finding.company(url, company)
    answer = ask("POST", url, f"/companies/{id_}/administrators", {"user": user})
    tell(f"{user} is administrator of {company}.", answer, as_json=as_json)


@app.command("remove-admin")
def remove_admin(
    company: Name, user: UserName, *, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Take the role of administrator from a user; not from yourself."""
    found = finding.find(url, "/companies", "company", company)
    id_ = member(found["administrators"], user, f"administrator of {company}")
    answer = ask("DELETE", url, f"/companies/{found['id']}/administrators/{id_}")
    tell(f"{user} is no longer administrator of {company}.", answer, as_json=as_json)


@app.command()
def delete(
    name: Name, *, yes: Yes = False, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Remove a company that has no systems and no other administrators."""
    id_ = finding.company(url, name)
    confirm(f"Remove company {name}?", yes=yes)
    answer = ask("DELETE", url, f"/companies/{id_}")
    tell(f"{name} is removed.", answer, as_json=as_json)


def names(members: list[dict[str, Any]]) -> list[str]:
    """Return the names of users in a role."""
    return [str(one["name"]) for one in members]


def member(members: list[dict[str, Any]], name: str, role: str) -> int:
    """Return the id of the user of this name among those who have a role.

    Raises:
        NotFound: They do not have it.
    """
    from penstock.core.errors import NotFound

    for one in members:
        if one["name"] == name.strip().lower():
            return int(one["id"])
    msg = f"{name} is not {role}; those who are: {', '.join(names(members)) or 'nobody'}"
    raise NotFound(msg)
