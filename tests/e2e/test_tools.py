"""Tools that an answer uses: shown with arguments and result, and asked for where they change something."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.e2e.chat import Chat

ECHO = 'echo:look call:echo:{"text": "hi there"}'
NOTE = 'echo:look call:note:{"text": "remember"}'


def block(chat: Chat) -> Locator:
    return chat.page.locator(".call").last


def body(chat: Chat) -> Locator:
    return chat.answers.last.locator(".body")


def test_a_used_tool_is_a_closed_line_with_arguments_and_result(chat: Chat) -> None:
    chat.ask(ECHO)
    for _ in range(2):
        expect(block(chat).locator("summary")).to_have_text(re.compile(r"^Used echo · \d+ sec"))
        expect(block(chat).locator(".call-text")).to_be_hidden()
        expect(body(chat)).to_have_text("lookhi there")
        block(chat).locator("summary").click()
        expect(block(chat).locator("pre").first).to_have_text('{\n  "text": "hi there"\n}')
        expect(block(chat).locator("pre").last).to_have_text("hi there")
        chat.page.reload()


def test_a_tool_that_changes_something_waits_for_its_person(chat: Chat) -> None:
    chat.ask(NOTE)
    expect(block(chat).locator("summary")).to_have_text("Use note?")
    expect(block(chat).locator("pre")).to_have_text('{\n  "text": "remember"\n}')
    chat.page.reload()
    expect(body(chat)).to_have_text("look")
    block(chat).get_by_role("button", name="Allow", exact=True).click()
    expect(block(chat).locator("summary")).to_have_text(re.compile(r"^Used note"))
    expect(body(chat)).to_have_text("lookwritten down")
    expect(block(chat).get_by_role("button")).to_have_count(0)


def test_a_tool_that_is_not_allowed_is_not_used(chat: Chat) -> None:
    chat.ask(NOTE)
    block(chat).get_by_role("button", name="Do not allow").click()
    expect(block(chat).locator("summary")).to_have_text("note was not used")
    expect(body(chat)).to_have_text("lookThe person did not allow this call.")
    expect(block(chat).locator(".call-text")).to_contain_text("You did not allow it.")


def test_a_stop_takes_the_buttons_away(chat: Chat) -> None:
    chat.ask(NOTE)
    expect(block(chat).get_by_role("button", name="Allow", exact=True)).to_be_visible()
    chat.stop()
    expect(chat.page.locator(".outcome").last).to_contain_text("You stopped this reply.")
    expect(block(chat).get_by_role("button")).to_have_count(0)
    expect(block(chat).locator("summary")).to_have_text("note was not used")
