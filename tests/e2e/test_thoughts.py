"""The thoughts of a model: shown apart from its answer, while they are written and afterwards."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.e2e.chat import Chat

SCRIPT = "think:8:pace:500:first I think of six times seven then It is forty-two"
THOUGHT = "first I think of six times seven then "
ANSWER = "It is forty-two"


def test_thoughts_are_a_closed_block_with_a_clock_and_stay_after_a_reload(chat: Chat) -> None:
    chat.ask(SCRIPT)
    block = chat.page.locator(".thoughts").last
    expect(block.locator("summary")).to_have_text(re.compile(r"^Thinking… \d+ sec"))
    expect(block.locator(".thoughts-text")).to_be_hidden()
    answer = chat.page.locator(".message.assistant .body").last
    expect(answer).to_have_text(ANSWER)
    expect(block.locator("summary")).to_have_text(re.compile(r"^Thought for \d+ sec"))
    block.locator("summary").click()
    expect(block.locator(".thoughts-text")).to_have_text(THOUGHT)

    chat.page.reload()
    block = chat.page.locator(".thoughts").last
    expect(block.locator("summary")).to_have_text(re.compile(r"^Thought for \d+ sec"))
    block.locator("summary").click()
    expect(block.locator(".thoughts-text")).to_have_text(THOUGHT)
    expect(chat.page.locator(".message.assistant .body").last).to_have_text(ANSWER)
    chat.page.locator(".message.assistant").last.get_by_role("button", name="More").click()
    chat.page.get_by_role("menuitem", name="Details").click()
    facts = chat.page.locator("#details-dialog .facts")
    expect(facts).to_contain_text("11, of these 8 for thinking")
    expect(facts).to_contain_text("Time for thinking")


def test_a_stop_within_the_thoughts_keeps_them_and_offers_to_go_on(chat: Chat) -> None:
    chat.ask("think:40:pace:200:" + "mm " * 40 + "never")
    block = chat.page.locator(".thoughts").last
    expect(block.locator("summary")).to_have_text(re.compile(r"^Thinking… [2-9] sec"))
    chat.stop()
    expect(chat.page.locator(".outcome").last).to_contain_text("You stopped this reply.")
    expect(chat.page.locator(".outcome").last.get_by_role("button", name="Ask again")).to_be_visible()
    expect(block).to_be_visible()
    expect(block.locator("summary")).to_have_text(re.compile(r"^Thought for \d+ sec"))
    chat.page.locator(".outcome").last.get_by_role("button", name="Continue").click()
    expect(chat.answer).to_have_text("never")
    block = chat.page.locator(".thoughts").last
    block.locator("summary").click()
    expect(block.locator(".thoughts-text")).to_have_text("mm " * 40)
    expect(block.locator("summary")).to_have_text(re.compile(r"^Thought for \d+ sec"))


def set_answers(chat: Chat, *, effort: str = "", max_tokens: str = "") -> None:
    chat.page.locator("[data-sampling]").click()
    dialog = chat.page.locator("#sampling-dialog")
    dialog.get_by_label("Thinking").select_option(effort)
    dialog.get_by_label("Longest answer, in tokens").fill(max_tokens)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()


def test_a_reply_that_only_thought_is_asked_for_again_with_twice_the_length(chat: Chat) -> None:
    set_answers(chat, max_tokens="3")
    chat.ask("think:4:echo:a b c d Four")
    end = chat.page.locator(".outcome").last
    expect(end).to_contain_text("The reply used its whole length for thinking.")
    end.get_by_role("button", name="Ask again with up to 6 tokens").click()
    expect(chat.page.locator(".message.assistant .body").last).to_have_text("Four")


def test_a_model_that_is_asked_not_to_think_answers_at_once(chat: Chat) -> None:
    set_answers(chat, effort="off")
    chat.ask("think:3:echo:first I think Four")
    expect(chat.page.locator(".message.assistant .body").last).to_have_text("Four")
    expect(chat.page.locator(".thoughts").last).to_be_hidden()
