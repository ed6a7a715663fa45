"""Companies, systems, clients, members, grants and the audit trail on the page."""

from __future__ import annotations

from typing import Any

import pytest
from tests.browser.waiting import expect, shows, until

from penstock.core.people import (
    Actor,
    GrantState,
    NewCompany,
    NewGrant,
    NewKey,
    NewSystem,
    SystemInfo,
)

pytestmark = pytest.mark.browser

ADMIN, SUE, PAT = "root@example.com", "sue@example.com", "pat@example.com"


def system_of(site: Any, by: Actor, company: str, station: str) -> SystemInfo:
    """Return a new system of a new company of somebody."""
    made = site.identities.companies.add(by, NewCompany(name=company))
    new = NewSystem(company=made.id, workcenter="lab", station=station)
    system: SystemInfo = site.identities.systems.add(by, new)
    return system


def test_from_a_company_to_the_key_of_a_client(site: Any, pages: Any) -> None:
    site.add_user(ADMIN)
    site.add_user(SUE)
    site.add_user(PAT)
    page = pages.enter("#view=organisation", SUE)
    page.get_by_label("New company").fill("cz.icecars")
    page.get_by_role("button", name="Make", exact=True).click()
    page.get_by_role("heading", name="cz.icecars").wait_for()
    page.get_by_label("Workcenter").fill("CarFleet")
    page.get_by_label("Station").fill("Car1")
    page.get_by_role("button", name="Make a system").click()
    page.get_by_role("heading", name="cz.icecars.CarFleet.Car1").wait_for()

    page.get_by_label("Name of the new agent").fill(PAT)
    page.get_by_role("button", name="Add").click()
    page.get_by_text(f"{PAT} added.").wait_for()
    page.get_by_role("button", name=f"Remove agent {PAT}").click()
    page.get_by_role("button", name="Really remove?").click()
    page.get_by_text(f"{PAT} removed.").wait_for()

    page.get_by_label("Name of the new client").fill("car_1")
    page.get_by_role("button", name="Make a client").click()
    page.locator(".client .opener").click()
    page.get_by_label("What the key is for").fill("boot computer")
    page.get_by_role("button", name="Make a key").click()
    secret = page.locator(".secret .copyable code").inner_text()
    access = site.identities.access()
    assert access.name(access.holder(secret)) == "cz.icecars.CarFleet.Car1/car_1"


def test_a_grant_is_asked_for_accepted_and_revoked(site: Any, pages: Any) -> None:
    site.add_user(ADMIN)
    sue, pat = site.add_user(SUE), site.add_user(PAT)
    cars = system_of(site, sue, "cz.icecars", "Car1")
    weather = system_of(site, pat, "is.iceland", "Stations")
    asking = pages.enter("#view=organisation&part=grants", SUE)
    asking.get_by_label("Owner: name of the other system").fill(weather.name)
    asking.get_by_label("Note").fill("Is it slippery?")
    asking.get_by_role("button", name="Ask", exact=True).click()
    asking.get_by_text("The other side decides now.").wait_for()
    expect(asking.get_by_role("button", name="Accept")).to_have_count(0)

    owning = pages.enter("#view=organisation&part=grants", PAT)
    owning.get_by_text("Is it slippery?").wait_for()
    owning.get_by_role("button", name="Accept").click()
    owning.locator(".grant[data-state=in_force]").wait_for()
    (grant,) = site.identities.grants.list(pat)
    assert (grant.state, grant.reader, grant.decided_by) == (GrantState.IN_FORCE, cars.name, PAT)

    owning.get_by_role("button", name="Revoke").click()
    owning.get_by_role("button", name="Really, at once?").click()
    owning.locator(".grant[data-state=revoked]").wait_for()


def test_only_what_one_may_do_is_offered(site: Any, pages: Any) -> None:
    site.add_user(ADMIN)
    sue, _ = site.add_user(SUE), site.add_user(PAT)
    cars = system_of(site, sue, "cz.icecars", "Car1")
    site.identities.systems.agents.add(sue, cars.id, PAT)
    page = pages.enter(f"#view=organisation&place=company-{cars.company_id}", PAT)
    page.get_by_role("heading", name="cz.icecars").wait_for()
    for name in ("Make a system", "Add", "Remove this company", "Change description"):
        expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name="Users")).to_have_count(0)
    until(page, "penstock.app.get().health !== null")
    expect(page.get_by_role("button", name="Health")).to_have_count(0)
    assert pages.complaints == []


def test_the_audit_trail_says_who_changed_what(site: Any, pages: Any) -> None:
    site.add_user(ADMIN)
    sue = site.add_user(SUE)
    system_of(site, sue, "cz.icecars", "Car1")
    page = pages.enter("#view=organisation&part=audit", SUE)
    row = page.locator(".trail tbody tr").filter(has_text="cz.icecars.lab.Car1").first
    expect(row).to_contain_text(SUE)
    # Times and names are written out.
    (issued,) = site.identities.keys.add(sue, [NewKey(expires_us=1_830_000_000_000_000)])
    again = site.identities.keys.renew(sue, issued.key.id, overlap_s=60)
    page.reload()
    renewed = page.locator(".trail tbody tr").filter(has_text="renew").first
    expect(renewed).to_contain_text(f"replaced by: {again.key.hint}...")
    added = page.locator(".trail tbody tr").filter(has_text="2027-12-28").first
    expect(added).to_contain_text("expires: 2027-12-28")
    expect(page.locator(".trail")).not_to_contain_text("_us")
    page.get_by_label("Kind of what was changed").select_option("company")
    until(page, "document.querySelectorAll('.trail tbody tr').length === 1")


def test_hostile_names_of_people_are_shown_as_text(site: Any, pages: Any) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    site.add_user(ADMIN)
    sue, pat = site.add_user(SUE, display_name=hostile), site.add_user(PAT)
    cars = system_of(site, sue, "cz.icecars", "Car1")
    weather = system_of(site, pat, "is.iceland", "Stations")
    site.identities.companies.describe(sue, cars.company_id, hostile)
    wanted = NewGrant(owner=weather.id, reader=cars.name, note=hostile)
    site.identities.grants.add(pat, wanted)
    page = pages.enter(f"#view=organisation&place=company-{cars.company_id}", ADMIN)
    for part in ("companies", "users", "grants", "audit"):
        page.evaluate(f"penstock.app.set({{ part: '{part}' }})")
        until(page, "document.querySelector('#main').innerText.includes('onerror')")
    shows(page, "document.querySelectorAll('img[src=x], #app script').length", 0)
    assert pages.complaints == []
