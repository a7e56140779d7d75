"""On a phone: fingers reach every control, Enter breaks the line, and what is under the box fits."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browsing import MOVEMENTS_END
from tests.e2e.chat import Chat
from tests.e2e.people import Person

PHONE = {"size": (360, 740), "touch": True}
# Controls smaller than a finger. Links within sentences and file fields behind a button are no targets.
SMALL = """() => {
  const look = { visibilityProperty: true, opacityProperty: true };
  const seen = (node) => node.checkVisibility(look) && !node.closest("[inert]");
  const controls = document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [role=option], [role=menuitem]");
  const boxOf = (node) => {
    const label = node.matches("[type=radio], [type=checkbox]") ? node.closest("label") : null;
    return (label ?? node).getBoundingClientRect();
  };
  return [...controls].filter(seen)
    .filter((node) => !node.matches(".skip, .markdown a, p a, .backdrop"))
    .filter((node) => {
      const { width, height } = boxOf(node);
      return width > 1 && (width < 43.9 || height < 43.9);
    })
    .map((node) => {
      const { width, height } = boxOf(node);
      const name = node.getAttribute("aria-label") || node.textContent.trim() || node.id || node.name;
      return `${node.tagName} ${node.className} “${name}” ${Math.round(width)}×${Math.round(height)}`;
    });
}"""
CUT = """(row) => [...row.querySelectorAll("button, b")].filter((node) => node.checkVisibility())
  .filter((node) => node.scrollWidth > node.clientWidth + 1
    || node.getBoundingClientRect().right > innerWidth)
  .map((node) => node.textContent)"""
ANSWER = """echo:Some `code`, a [link](https://example.org) and:

```py
x = 1
```

| a | b |
| - | - |
| 1 | 2 |
"""


def small(page: Page) -> list[str]:
    page.evaluate(MOVEMENTS_END)
    return list(page.evaluate(SMALL))


@pytest.fixture(params=["en-US", "fr-FR"])
def phone(request: pytest.FixtureRequest, open_chat: Callable[..., Chat], person: Person) -> Chat:
    return open_chat(person, language=request.param, **PHONE)


def test_every_control_of_the_chat_is_as_large_as_a_finger(phone: Chat) -> None:
    page = phone.page
    assert small(page) == []
    phone.ask(ANSWER).wait_for_end()
    page.locator("[data-composer] input[data-choose]").set_input_files(
        {"name": "a.txt", "mimeType": "text/plain", "buffer": b"words"}
    )
    expect(page.locator(".files .chip")).to_be_visible()
    phone.answers.last.locator("[data-tool=again]").click()
    phone.wait_for_end()
    assert small(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    for opener in ("[data-options]", "[data-model]", ".message.assistant .tools [aria-haspopup]"):
        page.locator(opener).last.click()
        expect(page.get_by_role("menu")).to_be_visible()
        assert small(page) == [], opener
        page.keyboard.press("Escape")
    page.locator("[data-share]").click()
    expect(page.locator("#share-dialog")).to_be_visible()
    assert small(page) == []


def test_every_control_of_the_drawer_and_its_menus_is_as_large_as_a_finger(phone: Chat) -> None:
    page = phone.page
    phone.ask("echo:hello").wait_for_end()
    page.locator("[data-expand]").click()
    expect(phone.sidebar.locator(".entry")).to_be_visible()
    assert small(page) == []
    phone.sidebar.locator(".entry [aria-haspopup]").click()
    expect(page.get_by_role("menu")).to_be_visible()
    assert small(page) == []
    page.keyboard.press("Escape")
    phone.open_account_menu()
    assert small(page) == []
    page.keyboard.press("Escape")
    page.locator("[data-find]").click()
    expect(page.get_by_role("option").first).to_be_visible()
    assert small(page) == []


def test_every_control_of_the_settings_is_as_large_as_a_finger(phone: Chat) -> None:
    for path in ("/settings/", "/settings/answers/", "/settings/answers/personas/new/", "/accounts/email/"):
        phone.page.goto(path)
        assert small(phone.page) == [], path


def test_enter_breaks_the_line_until_a_setting_reverses_it(phone: Chat) -> None:
    page = phone.page
    expect(phone.box).to_have_attribute("enterkeyhint", "enter")
    phone.box.press_sequentially("echo:one")
    phone.box.press("Enter")
    phone.box.press_sequentially("two")
    expect(phone.box).to_have_value("echo:one\ntwo")
    phone.send.click()
    phone.wait_for_end()
    page.goto("/settings/")
    page.locator("#enter-sends").check()
    page.goto("/")
    expect(phone.box).to_have_attribute("enterkeyhint", "send")
    phone.box.fill("echo:three")
    phone.box.press("Enter")
    phone.wait_for_end()
    expect(phone.answer).to_have_text("three")


def test_on_a_computer_enter_sends_until_a_setting_reverses_it(chat: Chat) -> None:
    page = chat.page
    page.goto("/settings/")
    page.get_by_label("Enter sends the message").uncheck()
    page.goto("/")
    chat.box.press_sequentially("echo:one")
    chat.box.press("Enter")
    chat.box.press_sequentially("two")
    expect(chat.box).to_have_value("echo:one\ntwo")
    chat.box.press("Control+Enter")
    chat.wait_for_end()
    expect(chat.questions).to_have_text(["echo:one\ntwo"])


def test_the_switch_of_temporary_chats_is_as_wide_as_its_words(phone: Chat) -> None:
    switch = phone.page.locator("[data-temporary]")
    expect(switch).to_be_in_viewport(ratio=1)
    assert switch.evaluate("(button) => button.scrollWidth <= button.clientWidth")


def test_the_model_is_at_the_top_and_one_menu_has_the_rest(phone: Chat) -> None:
    page = phone.page
    row = page.locator("[data-settings-bar]")
    for _ in ("empty", "with messages"):
        model = page.locator("[data-model]")
        box, text = model.bounding_box(), phone.box.bounding_box()
        assert box
        assert text
        assert box["y"] + box["height"] <= text["y"]
        expect(model).to_contain_text("Scripted test engine")
        expect(row.get_by_role("button")).to_have_count(1)
        assert row.evaluate(CUT) == []
        phone.ask("echo:hello").wait_for_end()
    options = page.locator("[data-options]")
    roles: list[Literal["menu", "dialog"]] = ["menu", "dialog", "menu"]
    for place, what in enumerate(roles):
        options.click()
        page.get_by_role("menuitem").nth(place).click()
        opened = page.get_by_role(what)  # personas, settings, prompts
        expect(opened).to_be_in_viewport(ratio=1)
        page.keyboard.press("Escape")
    options.click()
    page.get_by_role("menuitem").first.click()
    page.get_by_role("menuitemradio").nth(1).click()
    expect(options).not_to_contain_text(re.compile("settings|réglages", re.IGNORECASE))
    assert row.evaluate(CUT) == []


def test_stop_stays_in_reach_while_the_next_message_is_written(phone: Chat) -> None:
    page = phone.page
    phone.ask("slow:400:40").wait_for_words(2)
    phone.box.fill("and then?")
    stop = page.locator(".composer").get_by_role("button", name=re.compile("^(Stop|Arrêter)$"))
    expect(stop).to_be_in_viewport()
    expect(phone.send).to_be_enabled()
    assert small(page) == []
    stop.click()
    phone.wait_for_end()
    expect(phone.box).to_have_value("and then?")
    expect(stop).to_be_hidden()
    expect(phone.send).to_be_enabled()
