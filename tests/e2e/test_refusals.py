"""Refusals are explained on the page, and the written message stays."""

from __future__ import annotations

import os
import signal

from playwright.sync_api import expect

from tests.e2e.browsing import until
from tests.e2e.chat import Chat
from tests.grokweb.service import Service


def test_an_empty_message_cannot_be_sent(chat: Chat) -> None:
    expect(chat.send).to_be_disabled()
    chat.ask("  \n ")
    expect(chat.send).to_be_disabled()
    expect(chat.questions).to_have_count(0)


def test_an_invisible_message_cannot_be_sent(chat: Chat) -> None:
    for blank in ("\u200b\u2800", "\u3164", "\U000e0061\u00ad \u115f"):
        chat.box.fill(blank)
        expect(chat.send).to_be_disabled()
        chat.box.press("Enter")
        expect(chat.questions).to_have_count(0)
    chat.box.fill("\U0001f468\u200d\U0001f469\u200d\U0001f467")
    expect(chat.send).to_be_enabled()


def test_a_message_that_is_too_long_cannot_be_sent(chat: Chat) -> None:
    chat.box.fill("x" * 32_769)
    expect(chat.page.get_by_text("32,769 of 32,768 characters: too long")).to_be_visible()
    expect(chat.send).to_be_disabled()
    chat.box.press("Enter")
    expect(chat.questions).to_have_count(0)
    chat.box.fill("x" * 10)
    expect(chat.send).to_be_enabled()


def test_every_message_within_the_counted_limit_is_sent(chat: Chat) -> None:
    """Thirty thousand Chinese letters are three times as many bytes; characters alone count."""
    chat.box.fill(f"echo:{'字' * 30_000}")
    expect(chat.page.get_by_text("30,005 of 32,768 characters")).to_be_visible()
    chat.box.press("Enter")
    expect(chat.questions).to_have_count(1)
    expect(chat.questions.first).to_contain_text("字字字")
    chat.wait_for_end()
    chat.page.reload()
    expect(chat.questions.first).to_contain_text("字字字")  # the server has it


def test_a_person_waits_in_line_and_is_refused_when_too_many_wait(chat: Chat) -> None:
    """Two replies of one person run at once, the third waits, the fourth is too many."""
    for number in range(2):
        chat.ask(f"slow:400:50 number {number}").wait_for_words(1)
        chat.new()
    chat.ask("slow:5 number 3")
    expect(chat.page.get_by_text("You are next")).to_be_visible()
    chat.new().ask("number 4")
    chat.expect_notice("3 replies are waiting already. Please try again in 15 seconds.")
    expect(chat.box).to_have_value("number 4")
    expect(chat.questions).to_have_count(0)
    expect(chat.sidebar.get_by_label("A reply is being written")).to_have_count(3)
    for number in range(2):
        chat.entry(f"slow:400:50 number {number}").get_by_role("link").click()
        chat.wait_for_words(1)
        chat.stop()
        expect(chat.answers.last).to_contain_text("You stopped this reply.")
    chat.entry("slow:5 number 3").get_by_role("link").click()
    chat.wait_for_whole(5)


def test_a_failure_of_the_model_is_told_in_plain_words(chat: Chat) -> None:
    chat.ask("oom:").wait_for_end()
    expect(chat.answers.last.locator(".outcome")).to_contain_text("memory")
    expect(chat.answers.last.get_by_role("button", name="Ask again")).to_be_visible()


def test_without_a_model_worker_the_page_says_so_and_waits(chat: Chat, service: Service) -> None:
    """The worker is paused, not killed, so that no other one starts; once resumed, it answers."""
    pid = service.pid("model-worker")
    os.kill(pid, signal.SIGSTOP)
    try:
        chat.ask("are you there?")
        words = chat.page.get_by_text("The model is not running; your message waits.")
        expect(words).to_be_visible(timeout=20_000)
        notice = "The model is not running at the moment. Messages wait until it is back."
        chat.expect_notice(notice)  # though the page was open before
        chat.page.reload()
        chat.expect_notice(notice)
    finally:
        os.kill(pid, signal.SIGCONT)
    expect(chat.answer).to_have_text("are you there?", timeout=30_000)
    until(chat.page, lambda: "not running" not in chat.notice.inner_text(), "the notice went away")
