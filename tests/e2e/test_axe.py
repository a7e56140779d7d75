"""axe-core finds no accessibility fault on any page, light or dark."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import axe
from tests.e2e.browsing import PHONE, Windows
from tests.e2e.chat import Chat
from tests.e2e.people import Person
from tests.e2e.shots import ANSWER

OUTSIDE = (
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/password/reset/key/1-nothing/",
    "/s/nothing-is-shared-here/",
    "/nowhere/",
)
INSIDE = (
    "/settings/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/accounts/logout/",
    "/admin/",  # not allowed
)
# Pages that our templates make or change; the others are as Django ships them.
STAFF = (
    "/admin/",
    "/admin/engine/",
    "/admin/accounts/user/",
    "/admin/core/staffaction/",
    "/admin/feedback/feedback/",
)


def test_pages_before_the_login_have_no_accessibility_faults(windows: Windows) -> None:
    windows.witness.allow("404")
    window = windows.window(None)
    page = window.new_page()
    for path in OUTSIDE:
        page.goto(path)
        axe.check(page, path)
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill("nobody@example.org")
    page.locator("[type=password]").fill("wrong password")
    page.locator("main form .primary").click()
    expect(page.get_by_role("alert")).to_be_visible()
    axe.check(page, "a login that failed")


def test_account_pages_have_no_accessibility_faults(windows: Windows, person: Person) -> None:
    windows.witness.allow("403")
    page = windows.window(person).new_page()
    for path in INSIDE:
        page.goto(path)
        axe.check(page, path)


def test_pages_of_staff_are_accessible(windows: Windows, admin: Person) -> None:
    page = windows.window(admin).new_page()
    found = {}
    for path in STAFF:
        page.goto(path)
        found[path] = axe.findings(page)
    assert found == dict.fromkeys(STAFF, [])


@pytest.fixture(params=["desktop", "phone"])
def page(request: pytest.FixtureRequest, windows: Windows, person: Person) -> Page:
    size: dict[str, Any] = {"size": PHONE, "touch": True} if request.param == "phone" else {}
    return windows.page(person, **size)


def expand_sidebar(page: Page) -> None:
    button = page.locator("[data-expand]")
    if button.is_visible():
        button.click()


def test_the_chat_has_no_accessibility_faults(page: Page) -> None:
    chat = Chat(page)
    axe.check(page, "empty")
    chat.ask("slow:300:40").wait_for_words(3)
    axe.check(page, "while an answer arrives")
    page.keyboard.press("Escape")
    chat.wait_for_end()
    axe.check(page, "stopped")
    chat.ask(ANSWER).wait_for_end()
    expect(chat.answer.locator("math").first).to_be_visible()
    expect(chat.answer.locator(".hljs-keyword").first).to_be_visible()
    axe.check(page, "with an answer")
    chat.box.fill("x" * 33_000)
    axe.check(page, "a message that is too long")
    chat.box.fill("")
    first = page.locator("[data-transcript] > li").first
    first.hover()
    first.locator(".tools button", has=page.locator("use[href='#i-pencil']")).click()
    axe.check(page, "editing")
    page.keyboard.press("Escape")
    chat.ask("oom:").wait_for_end()
    axe.check(page, "an answer that failed")


def test_menus_and_dialogs_of_the_chat_have_no_accessibility_faults(page: Page) -> None:
    chat = Chat(page)
    chat.ask("hello").wait_for_end()
    page.locator(".message.assistant .tools button").last.click()
    menu = page.get_by_role("menu")
    expect(menu).to_be_visible()
    axe.check(page, "the menu of a message")
    menu.get_by_role("menuitem").filter(has=page.locator("use[href='#i-flag']")).click()
    axe.check(page, "the report")
    page.keyboard.press("Escape")
    page.locator("[data-share]").click()
    page.get_by_role("dialog").locator(".primary").click()
    expect(page.locator("[data-links] code").first).to_be_visible()
    axe.check(page, "sharing")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_be_visible()
    axe.check(page, "the palette")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+/")
    expect(page.get_by_role("dialog")).to_be_visible()
    axe.check(page, "the shortcuts")
    page.keyboard.press("Escape")
    expand_sidebar(page)
    axe.check(page, "the sidebar")
    entry = chat.sidebar.locator(".entry").first
    entry.hover()
    entry.get_by_role("button").click()
    expect(page.get_by_role("menu")).to_be_visible()
    axe.check(page, "the menu of a conversation")
    page.get_by_role("menuitem").last.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    axe.check(page, "deleting")
    page.keyboard.press("Escape")
    chat.open_account_menu()
    axe.check(page, "the account menu")


def test_a_shared_page_has_no_accessibility_faults(windows: Windows, person: Person) -> None:
    chat = Chat(windows.page(person))
    chat.ask(ANSWER).wait_for_end()
    chat.page.locator("[data-share]").click()
    chat.page.get_by_role("dialog").locator(".primary").click()
    link = chat.page.locator("[data-links] code").first
    expect(link).to_be_visible()
    page = windows.page(None, str(link.get_attribute("title")))
    axe.check(page, "shared")
    page.locator("details.report summary").click()
    axe.check(page, "reporting it")


def test_faults_of_dark_colours_are_found_while_it_is_light(windows: Windows) -> None:
    page = windows.window(None).new_page()
    dark = "@media (prefers-color-scheme: dark) { p { color: #333; background: #222 } }"
    page.set_content(
        f"<html lang=en><title>t</title><style>{dark}</style><main><h1>h</h1><p>words</p></main>"
    )
    (found,) = axe.findings(page)
    assert found.startswith("dark: color-contrast\n")
    assert page.evaluate(axe.IS_DARK) is False
