"""The chat can be used with a screen reader, the keyboard alone, reduced motion, and on narrow pages."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browsing import Windows, until
from tests.e2e.chat import Chat
from tests.e2e.people import Person
from tests.e2e.screen import scrolls_sideways

SENTENCES = ("The dough rests for an hour.", "Then it is shaped.", "At last it is baked!")
# What the live region was given, each time on its own.
HEAR = """() => {
  window.heard = [];
  const region = document.querySelector("[data-announce]");
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) window.heard.push(node.textContent);
  }).observe(region, { childList: true });
}"""
FOCUSED = """() => {
  const at = document.activeElement;
  const look = getComputedStyle(at);
  const box = at.getBoundingClientRect();
  return {
    name: at.getAttribute("aria-label") || at.textContent.trim() || at.labels?.[0]?.textContent || at.id,
    place: [...document.querySelectorAll("*")].indexOf(at),
    outlined: look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 1,
    bordered: at.matches(":focus-visible") && (look.outlineStyle !== "none" || !!at.closest(":focus-within")),
    area: box.width * box.height,
    page: at === document.body,
  };
}"""


def test_a_streamed_reply_is_announced_by_sentence(chat: Chat) -> None:
    page = chat.page
    expect(page.locator("[data-announce]")).to_have_attribute("aria-live", "polite")
    page.evaluate(HEAR)
    chat.ask("pace:60:" + " ".join(SENTENCES)).wait_for_end()

    def heard() -> list[str]:
        return [words for words in page.evaluate("window.heard") if words.strip()]

    until(page, lambda: SENTENCES[-1] in " ".join(heard()), "the last sentence is said")
    said = " ".join(heard())
    for sentence in SENTENCES:
        assert said.count(sentence) == 1
    # Never a token at a time, never a part of a sentence.
    assert all(words.strip()[-1] in ".!?…" for words in heard()), heard()
    expect(chat.answers.last).not_to_have_attribute("aria-live", "polite")  # it would be read twice


def tab_through(page: Page, presses: int = 80) -> list[dict[str, Any]]:
    """Returns the elements that Tab reaches from the top of the page to its end."""
    page.evaluate("document.activeElement.blur(); document.querySelector('.skip').focus()")
    stops = [page.evaluate(FOCUSED)]
    for _ in range(presses):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop["page"] or stop["place"] == stops[0]["place"]:
            return stops
        stops.append(stop)
    raise AssertionError(f"Tab never leaves: {[stop['name'] for stop in stops]}")


def test_tab_walks_through_the_page_in_reading_order(chat: Chat) -> None:
    chat.ask("hello").wait_for_end()
    stops = tab_through(chat.page)
    places = [stop["place"] for stop in stops]
    assert places == sorted(places), [stop["name"] for stop in stops]  # as it stands on the page
    for stop in stops:
        assert stop["name"], stop
        assert stop["outlined"] or stop["bordered"], f"no focus to be seen: {stop}"
        assert stop["area"], f"focus on nothing: {stop}"
    names = " | ".join(str(stop["name"]) for stop in stops)
    for wanted in ("Skip to the message box", "New chat", "Search", "Account menu", "Share", "Your message"):
        assert wanted in names, names


def test_the_skip_link_leads_to_the_message_box(chat: Chat) -> None:
    page = chat.page
    page.evaluate("document.querySelector('.skip').focus()")
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(chat.box).to_be_focused()


def test_dialogs_give_the_focus_back(chat: Chat) -> None:
    page, keys = chat.page, chat.page.keyboard
    chat.ask("hello").wait_for_end()
    share = page.locator("[data-share]")
    share.focus()
    keys.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    for _ in range(12):  # what lies behind it is out of reach
        keys.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
    keys.press("Escape")
    expect(dialog).to_have_count(0)
    expect(share).to_be_focused()


def test_the_menu_of_a_message_works_with_the_keyboard(chat: Chat) -> None:
    page, keys = chat.page, chat.page.keyboard
    chat.ask("hello").wait_for_end()
    more = chat.answers.last.get_by_role("button", name="More")
    more.focus()
    keys.press("Enter")
    items = page.get_by_role("menuitem")
    expect(items.first).to_be_focused()
    keys.press("End")
    expect(items.last).to_be_focused()
    keys.press("Home")
    expect(items.first).to_be_focused()
    keys.press("ArrowDown")
    expect(items.nth(1)).to_be_focused()
    keys.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(more).to_be_focused()


def test_nothing_moves_with_reduced_motion(windows: Windows, person: Person) -> None:
    chat = Chat(windows.page(person, reduced_motion=True))
    page = chat.page
    chat.ask("slow:300:40").wait_for_words(3)
    page.locator(".account-button").click()
    moving = """document.getAnimations()
      .filter((one) => one.effect.getComputedTiming().endTime > 50)
      .map((one) => one.animationName ?? one.transitionProperty)"""
    assert page.evaluate(moving) == []
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    chat.wait_for_end()


# 320 px, and what is left of a 1280 px window at 200 % and at 400 %: WCAG 1.4.4 and 1.4.10.
NARROW = {"320 px": (320, 640), "200 %": (640, 400)}


@pytest.mark.parametrize("language", ["en-US", "fr-FR"])
@pytest.mark.parametrize("size", NARROW.values(), ids=NARROW)
def test_narrow_pages_do_not_scroll_sideways(
    windows: Windows, person: Person, size: tuple[int, int], language: str
) -> None:
    page = windows.window(person, size=size, language=language).new_page()
    for path in ("/settings/", "/accounts/email/", "/accounts/password/change/", "/accounts/2fa/"):
        page.goto(path)
        assert not scrolls_sideways(page), path
    page.goto("/")
    chat = Chat(page)
    assert not scrolls_sideways(page)
    expect(chat.box).to_be_in_viewport()
    chat.ask("echo:| a | b |\n| - | - |\n| 1 | 2 |\n\n```python\n" + "x = 1; " * 60 + "\n```").wait_for_end()
    expect(chat.box).to_be_in_viewport()
    assert not scrolls_sideways(page)
    page.locator("[data-share]").click()
    expect(page.get_by_role("dialog").locator(".primary")).to_be_in_viewport()
    assert not scrolls_sideways(page)
    for path in ("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"):
        page = windows.page(None, path, size=size, language=language)
        assert not scrolls_sideways(page), path
