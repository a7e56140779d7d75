"""The chat works on a phone, with the keyboard alone, in French and in dark colours."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.e2e.browsing import PHONE, Windows, until
from tests.e2e.chat import Chat
from tests.e2e.people import Person
from tests.e2e.screen import scrolls_sideways


def brightness(page: Page) -> float:
    """Returns the lightness of the page's background, 0 to 1."""
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 765


def test_the_chat_works_on_a_phone(windows: Windows, person: Person) -> None:
    page = windows.page(person, size=PHONE, touch=True)
    chat = Chat(page)
    chat.box.fill("hello from the bus")
    chat.send.tap()
    chat.wait_for_end()
    expect(chat.sidebar).not_to_be_in_viewport()
    page.get_by_role("button", name="Show the sidebar").tap()
    expect(chat.sidebar).to_be_in_viewport()
    page.locator(".new-chat").tap()
    expect(chat.sidebar).not_to_be_in_viewport()
    expect(page.get_by_text("What would you like to know?")).to_be_visible()
    chat.box.fill("echo:" + "averyveryverylongword" * 20)
    chat.send.tap()
    chat.wait_for_end()
    expect(chat.box).to_be_in_viewport()
    assert not scrolls_sideways(page)


def test_the_chat_works_with_the_keyboard_alone(chat: Chat) -> None:
    page, keys = chat.page, chat.page.keyboard
    expect(chat.box).to_be_focused()
    keys.type("slow:300:60")
    keys.press("Shift+Enter")
    keys.type("two lines")
    keys.press("Enter")
    chat.wait_for_words(2)
    keys.press("Escape")
    expect(chat.answers.last).to_contain_text("You stopped this reply.")
    again = chat.answers.last.get_by_role("button", name="Ask again")
    for _ in range(60):
        if again.evaluate("(button) => button === document.activeElement"):
            break
        keys.press("Tab")
    expect(again).to_be_focused()
    keys.press("Enter")
    chat.wait_for_words(1)
    keys.press("Escape")
    expect(chat.answers.last).to_contain_text("You stopped this reply.")
    more = chat.sidebar.locator(".entry").get_by_role("button")
    more.focus()
    keys.press("Enter")
    expect(page.get_by_role("menuitem", name="Rename")).to_be_focused()
    keys.press("ArrowUp")  # round to the last
    expect(page.get_by_role("menuitem", name="Delete")).to_be_focused()
    keys.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(more).to_be_focused()


def test_the_chat_is_translated_into_french(windows: Windows, person: Person) -> None:
    page = windows.page(None, "/", language="fr-FR")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.get_by_role("button", name="Se connecter", exact=True)).to_be_visible()
    page = windows.page(person, "/", language="fr-FR")
    chat = Chat(page)
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.get_by_role("heading", name="Nouvelle conversation")).to_be_visible()
    chat.ask("slow:300:60").wait_for_words(1)
    page.keyboard.press("Escape")
    expect(chat.answers.last).to_contain_text("Vous avez arrêté cette réponse")


def test_the_language_can_be_chosen(chat: Chat) -> None:
    chat.open_account_menu().get_by_label("Language").select_option("fr")
    expect(chat.page.locator("html")).to_have_attribute("lang", "fr")
    chat.page.reload()
    expect(chat.page.locator("html")).to_have_attribute("lang", "fr")


def test_the_chat_follows_the_dark_colour_scheme(windows: Windows, person: Person) -> None:
    assert brightness(windows.page(None, "/", dark=True)) < 0.2
    page = windows.page(person, dark=True)
    assert brightness(page) < 0.2
    assert brightness(windows.page(person)) > 0.9


def test_chosen_colours_apply_to_every_page(chat: Chat, windows: Windows, person: Person) -> None:
    page, tab = chat.page, Chat(chat.page.context.new_page())
    tab.page.goto("/")
    with page.expect_response("**/api/profile/"):
        chat.open_account_menu().get_by_role("radio", name="Dark").check()
    until(page, lambda: brightness(page) < 0.2, "it is dark")
    until(tab.page, lambda: brightness(tab.page) < 0.2, "it is dark in the other tab")
    page.reload()
    assert brightness(page) < 0.2
    assert brightness(windows.page(person)) < 0.2  # another device, before any script
    with page.expect_response("**/api/profile/"):
        chat.open_account_menu().get_by_role("radio", name="System").check()
    until(tab.page, lambda: brightness(tab.page) > 0.9, "it is as the system has it")
