"""Signing in and out, keys and passwords of one's own, and the first user."""

from __future__ import annotations

from typing import Any

import pytest
from tests.browser.conftest import PASSWORD
from tests.browser.waiting import expect, until, until_here

pytestmark = pytest.mark.browser

NAME = "sue.smith@example.com"

#: What Chromium says by itself about an answer that the page expects.
EXPECTED = "the server responded with a status of 401"


def wait_until_gone(page: Any, text: str) -> None:
    """Wait until a text is nowhere in the page, seen or unseen."""
    until(page, f"!document.documentElement.outerHTML.includes('{text}')")


def test_who_must_sign_in_gets_the_view_they_wanted_and_can_leave(site: Any, pages: Any) -> None:
    id_ = site.enrol("boiler", "temperature", "°C")
    site.fill(id_, 60)
    site.add_user(NAME)
    page = pages.open(f"#view=values&streams={id_}&last=1h")
    expect(page.locator("header.bar")).to_have_count(0)

    pages.sign_in(page, NAME, "not the one")
    page.get_by_text("Name or password is wrong.").wait_for()
    expect(page.get_by_label("Password", exact=True)).to_have_value("")
    pages.sign_in(page, NAME)

    page.get_by_role("button", name=f"Signed in as {NAME}").click()
    until(page, "penstock.app.get().view === 'values' && location.hash.includes('last=1h')")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("form", name="Sign in").wait_for()
    wait_until_gone(page, "boiler")
    until_here(page, lambda: page.context.cookies() == [])
    assert [said for said in pages.complaints if EXPECTED not in said] == []


def test_too_many_attempts_are_told_how_long_to_wait(site: Any, pages: Any) -> None:
    site.add_user(NAME)
    page = pages.open("#view=chart")
    for _ in range(5):
        pages.sign_in(page, NAME, "not the one")
        page.get_by_text("Name or password is wrong.").wait_for()
        page.get_by_label("Name", exact=True).fill("")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_text("Give your name").wait_for()
    pages.sign_in(page, NAME, "not the one")
    page.get_by_text("Too many attempts. Try again in").wait_for()
    expect(page.get_by_role("button", name="Sign in")).to_be_disabled()


def test_the_first_user_switches_accounts_on_and_is_signed_in(site: Any, pages: Any) -> None:
    page = pages.open("#view=organisation")
    page.get_by_text("everybody who reaches this Penstock may do everything").wait_for()
    page.get_by_role("button", name="Make the first user").click()
    page.get_by_label("Name", exact=True).fill(NAME)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again", exact=True).fill("another one")
    page.get_by_role("button", name="Make the first user and switch").click()
    page.get_by_text("The two passwords differ.").wait_for()
    page.get_by_label("Password again", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Make the first user and switch").click()

    page.get_by_role("button", name=f"Signed in as {NAME}").wait_for()
    assert site.identities.access().user(NAME).administrator
    page.get_by_role("link", name="Users").wait_for()


def test_a_session_that_is_over_leads_to_signing_in_and_back(site: Any, pages: Any) -> None:
    by = site.add_user(NAME)
    page = pages.enter("#view=health", NAME)
    page.get_by_role("heading", name="Parts").wait_for()
    site.identities.sessions.end_all(by, by.who.id)
    page.get_by_role("form", name="Sign in").wait_for()
    pages.sign_in(page, NAME)
    page.get_by_role("heading", name="Parts").wait_for()


def test_a_key_is_shown_once(site: Any, pages: Any) -> None:
    by = site.add_user(NAME)
    page = pages.enter("#view=account&part=keys", NAME)
    page.get_by_label("What the key is for").fill("my notebook")
    page.get_by_role("button", name="Make a key").click()
    secret = page.locator(".secret .copyable code").inner_text()
    assert site.identities.access().holder(secret) == by.who
    page.get_by_role("button", name="I have saved it").click()
    page.locator(".keys .row-name").get_by_text("my notebook").wait_for()
    wait_until_gone(page, secret)

    page.reload()
    page.locator(".keys .row-name").get_by_text("my notebook").wait_for()
    wait_until_gone(page, secret)
    page.get_by_role("button", name="Revoke key my notebook").click()
    page.get_by_role("button", name="Really revoke?").click()
    page.get_by_text("does not work any more").wait_for()
    assert site.identities.access().holder(secret) is None


def test_a_new_password_keeps_this_session_only(site: Any, pages: Any) -> None:
    by = site.add_user(NAME)
    site.identities.sessions.begin(by.who.id, agent="another browser")
    page = pages.enter("#view=account&part=password", NAME)
    page.get_by_label("Old password").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill("battery staple")
    page.get_by_label("New password again").fill("battery staple")
    page.get_by_role("button", name="Change password").click()
    page.get_by_text("Everywhere else you are signed out.").wait_for()
    (left,) = site.identities.sessions.list(by, by.who.id)
    assert "another" not in left.agent


def test_who_registers_is_approved_by_an_administrator(site: Any, pages: Any) -> None:
    site.allow_registration("approval")
    site.add_user("root")
    page = pages.open("#view=organisation")
    page.get_by_role("button", name="Register").click()
    page.get_by_label("Name", exact=True).fill(NAME)
    page.get_by_label("Note to the administrator").fill("I look after the cars.")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again", exact=True).fill("another one")
    page.get_by_role("button", name="Register").click()
    page.get_by_text("The two passwords differ.").wait_for()
    page.get_by_label("Password again", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Register").click()
    page.get_by_text("An administrator of this platform looks at it").wait_for()
    page.get_by_role("button", name="Back to signing in").click()

    pages.sign_in(page, "root")
    page.get_by_role("link", name="Users").click()
    page.get_by_text("I look after the cars.").wait_for()
    page.get_by_role("button", name=f"Approve {NAME}").click()
    page.get_by_role("region", name="Registrations").wait_for(state="detached")
    page.get_by_role("button", name=NAME).wait_for()

    page.get_by_role("button", name="Signed in as root").click()
    with page.expect_event("load"):
        page.get_by_role("button", name="Sign out").click()
    pages.sign_in(page, NAME)
    page.get_by_role("button", name=f"Signed in as {NAME}").wait_for()
    assert [said for said in pages.complaints if EXPECTED not in said] == []


def test_nobody_is_offered_to_register_where_that_is_closed(site: Any, pages: Any) -> None:
    site.add_user("root")
    page = pages.open("#view=chart")
    page.get_by_role("button", name="Sign in").wait_for()
    expect(page.get_by_role("button", name="Register")).to_have_count(0)
