"""The settings page: appearance, sessions, deletion of conversations and of the account."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.e2e.browsing import Windows, until
from tests.e2e.chat import Chat
from tests.e2e.people import PASSWORD, Person


def log_in(page: Page, person: Person) -> None:
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill(person.email)
    page.locator("[type=password]").fill(PASSWORD)
    page.locator("main form .primary").click()
    expect(page.locator("[data-composer]")).to_be_visible()


def height(page: Page) -> float:
    box = page.locator("#profile").bounding_box()
    assert box
    return box["height"]


def test_name_language_and_appearance_can_be_changed(windows: Windows, person: Person) -> None:
    page = windows.page(person, "/settings/")
    page.get_by_label("Display name").fill("Grace")
    page.get_by_label("Language").select_option("fr")
    page.get_by_role("region", name="Profile").get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Réglages")).to_be_visible()

    looks = page.get_by_role("region", name="Apparence")
    expect(looks.get_by_role("button")).to_have_count(0)  # kept at once
    before = height(page)
    looks.get_by_role("radio", name="Compacte").check()
    expect(looks.get_by_role("status")).to_have_text("Enregistré.")
    until(page, lambda: height(page) < before, "the page is denser")
    looks.get_by_role("radio", name="Sombre").press("Space")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("data-density", "compact")
    expect(page.locator(".account-button .name")).to_have_text("Grace")


def test_another_browser_is_logged_out_from_here(windows: Windows, person: Person) -> None:
    elsewhere = windows.page()
    log_in(elsewhere, person)
    page = windows.page(person, "/settings/#sessions")
    sessions = page.get_by_role("region", name="Where you are logged in")
    rows = sessions.get_by_role("listitem")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("this browser")
    expect(rows.last).to_contain_text(re.compile(r"Chrome.* on Linux"))
    rows.last.get_by_role("button").click()
    expect(page.get_by_text("That browser is logged out.")).to_be_visible()
    expect(rows).to_have_count(1)
    expect(elsewhere).to_have_url(re.compile("/accounts/login/"))  # its websocket closed, nobody touched it


def test_open_tabs_see_that_all_conversations_are_deleted(windows: Windows, person: Person) -> None:
    chat = Chat(windows.page(person))
    chat.ask("hello there").wait_for_end()
    expect(chat.sidebar.locator(".entry")).to_have_count(1)
    page = windows.page(person, "/settings/")
    page.get_by_role("link", name="Delete all…").click()
    expect(page.get_by_text("You have 1 conversation.")).to_be_visible()
    page.get_by_role("button", name="Delete all conversations").click()
    expect(page.get_by_text("1 conversation is deleted.")).to_be_visible()
    expect(chat.sidebar.locator(".entry")).to_have_count(0)
    expect(chat.page.get_by_text("What would you like to know?")).to_be_visible()
    chat.ask("and on we go").wait_for_end()
    expect(chat.sidebar.locator(".entry")).to_have_count(1)


def test_an_account_can_be_deleted(windows: Windows, person: Person) -> None:
    windows.witness.allow(r"400 \(Bad Request\)")
    chat = Chat(windows.page(person))
    chat.ask("slow:500:50").wait_for_words(2)
    page = windows.page(person, "/settings/")
    page.get_by_role("link", name="Delete account…").click()
    page.get_by_label("Your password").fill("a guess")
    page.get_by_role("button", name="Delete my account").click()
    expect(page.get_by_text("That is not your password.")).to_be_visible()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_label("Your password").press("Enter")
    expect(page.get_by_role("heading", name="Your account is deleted")).to_be_visible()
    expect(chat.page).to_have_url(re.compile("/accounts/login/"))
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill(person.email)
    page.locator("[type=password]").fill(PASSWORD)
    page.locator("main form .primary").click()
    expect(page.get_by_role("alert")).to_be_visible()
