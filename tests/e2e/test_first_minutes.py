"""A person's first five minutes."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from tests.e2e.browsing import Windows, until
from tests.e2e.chat import Chat
from tests.e2e.people import PASSWORD, Person


def test_sign_up_leads_into_the_chat(windows: Windows) -> None:
    page = windows.page(None, "/")
    page.get_by_role("link", name="Create an account").click()
    page.get_by_label(re.compile("E-?mail")).fill("newcomer@example.org")
    for field in page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    page.get_by_role("button", name="Create an account").click()
    page.wait_for_url("/")
    chat = Chat(page)
    expect(chat.box).to_be_focused()
    chat.ask("hello").wait_for_end()
    expect(chat.answer).to_have_text("hello")


def test_log_in_with_the_e_mail_address_and_log_out(windows: Windows, person: Person) -> None:
    page = windows.page(None, "/")
    page.get_by_label("E-mail address").fill(person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("/")
    Chat(page).open_account_menu().get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_wrong_password_says_so(windows: Windows, person: Person) -> None:
    page = windows.page(None, "/accounts/login/")
    page.get_by_label("E-mail address").fill(person.email)
    page.get_by_label("Password").fill("wrong horse battery")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not go together")


def test_words_arrive_one_by_one_and_the_conversation_gets_a_title(chat: Chat) -> None:
    chat.ask("slow:20:60 tell me about badgers")
    chat.wait_for_words(1)
    assert len(chat.text().split()) < 20, "the answer came in one piece"
    expect(chat.sidebar.get_by_role("link")).to_have_text("slow:20:60 tell me about badgers")
    expect(chat.page.locator("[data-title]")).to_have_text("slow:20:60 tell me about badgers")
    assert re.search(r"/c/[0-9a-f-]{36}/$", chat.page.url)
    chat.wait_for_whole(20)


def test_a_stopped_reply_can_be_asked_again(chat: Chat) -> None:
    chat.ask("slow:300:60").wait_for_words(3)
    chat.stop()
    expect(chat.answers.last).to_contain_text("You stopped this reply.")
    kept = chat.text().split()
    assert 3 <= len(kept) < 300
    chat.answers.last.get_by_role("button", name="Ask again").click()
    until(chat.page, lambda: 0 < len(chat.text().split()) < len(kept), "a fresh answer")
    chat.wait_for_words(3)
    expect(chat.answers).to_have_count(1)
    chat.stop()
    expect(chat.answers.last).to_contain_text("You stopped this reply.")


def test_a_conversation_survives_a_reload(chat: Chat) -> None:
    chat.ask("first").wait_for_end()
    chat.ask("second").wait_for_end()
    chat.page.reload()
    expect(chat.questions).to_have_text(["first", "second"])
    expect(chat.answers.locator(".body")).to_have_text(["first", "second"])


def test_the_sidebar_switches_between_conversations(chat: Chat) -> None:
    chat.ask("apples").wait_for_end()
    chat.new().ask("pears").wait_for_end()
    chat.entry("apples").get_by_role("link").click()
    expect(chat.answer).to_have_text("apples")
    chat.page.go_back()
    expect(chat.answer).to_have_text("pears")


def test_a_conversation_can_be_renamed(chat: Chat) -> None:
    chat.ask("about soup").wait_for_end()
    chat.menu_of("about soup").get_by_role("menuitem", name="Rename").click()
    chat.page.get_by_label("New title").fill("Soup & <b>bread</b>")
    chat.page.get_by_label("New title").press("Enter")
    expect(chat.entry("Soup & <b>bread</b>")).to_be_visible()
    expect(chat.page.locator("[data-title]")).to_have_text("Soup & <b>bread</b>")
    chat.page.reload()
    expect(chat.entry("Soup & <b>bread</b>")).to_be_visible()


def test_a_conversation_can_be_deleted(chat: Chat, witness: Any) -> None:
    witness.allow(r"404 \(Not Found\)")
    chat.ask("a secret").wait_for_end()
    address = chat.page.url
    chat.menu_of("a secret").get_by_role("menuitem", name="Delete").click()
    dialog = chat.page.get_by_role("dialog")
    expect(dialog).to_contain_text("“a secret” will be deleted, and its shared links stop working for good.")
    dialog.get_by_role("button", name="Delete").click()
    expect(chat.page.get_by_text("What would you like to know?")).to_be_visible()
    expect(chat.sidebar).not_to_contain_text("a secret")
    chat.page.goto(address)
    expect(chat.page.get_by_role("heading")).to_have_text("Nothing here")


def test_other_people_cannot_open_it(chat: Chat, windows: Windows, other: Person, witness: Any) -> None:
    witness.allow(r"404 \(Not Found\)")
    chat.ask("my diary").wait_for_end()
    stranger = windows.page(other, chat.page.url)
    expect(stranger.get_by_role("heading")).to_have_text("Nothing here")
    expect(stranger.locator("body")).not_to_contain_text("my diary")


def test_a_message_can_be_reported(chat: Chat) -> None:
    chat.ask("echo:something rude").wait_for_end()
    chat.more("Report")
    dialog = chat.page.get_by_role("dialog")
    dialog.get_by_label("Harmful or hateful").check()
    dialog.get_by_label("Note (optional)").fill("It is rude.")
    dialog.get_by_role("button", name="Send report").click()
    chat.expect_notice("Thank you. Staff will look at it.")
