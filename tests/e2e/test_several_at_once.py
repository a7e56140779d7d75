"""While an answer is written: the next message waits for it, and other conversations go on."""

from __future__ import annotations

from playwright.sync_api import WebSocketRoute, expect

from tests.e2e.browsing import Windows
from tests.e2e.chat import Chat, words
from tests.e2e.people import Person


def test_the_next_message_goes_out_after_the_answer(chat: Chat) -> None:
    chat.ask("slow:25:60").wait_for_words(2)
    chat.ask("and then?")
    expect(chat.page.locator(".message.user .state").last).to_contain_text(
        "Will be sent when the answer is complete."
    )
    expect(chat.questions).to_have_count(2)
    expect(chat.answers).to_have_count(1)
    expect(chat.answers.last).to_contain_text("and then?")
    expect(chat.answers.first.locator(".body")).to_have_text(words(25))
    chat.page.reload()
    expect(chat.questions).to_have_text(["slow:25:60", "and then?"])


def test_a_queued_message_survives_a_reload_and_can_be_taken_back(chat: Chat) -> None:
    chat.ask("slow:200:60").wait_for_words(2)
    chat.ask("later")
    chat.page.reload()
    expect(chat.page.locator(".message.user .state").last).to_contain_text(
        "Will be sent when the answer is complete."
    )
    chat.page.get_by_role("button", name="Take back").click()
    expect(chat.box).to_have_value("later")
    expect(chat.questions).to_have_count(1)


def test_a_stopped_answer_gives_the_next_message_back(chat: Chat) -> None:
    chat.ask("slow:200:60").wait_for_words(2)
    chat.ask("later")
    chat.page.keyboard.press("Escape")
    expect(chat.answers.last).to_contain_text("You stopped this reply.")
    expect(chat.box).to_have_value("later")


def test_two_conversations_are_written_and_the_other_one_is_announced(chat: Chat) -> None:
    chat.ask("slow:60:60 apples").wait_for_words(2)
    chat.new().ask("slow:90:60 pears").wait_for_words(2)
    expect(chat.sidebar.get_by_role("img", name="A reply is being written")).to_have_count(2)
    chat.expect_notice("“slow:60:60 apples” has an answer.")
    chat.page.locator(".notice").get_by_role("button", name="Open").click()
    expect(chat.answer).to_have_text(words(60))


def test_messages_from_before_the_first_connection_are_shown(
    chat: Chat, windows: Windows, person: Person
) -> None:
    chat.ask("one").wait_for_end()
    page = windows.window(person).new_page()
    slow: list[WebSocketRoute] = []
    # The socket opens, and the server hears nothing of it yet.
    page.route_web_socket("**/ws/", lambda socket: slow.append(socket))
    page.goto(chat.page.url)
    shown = page.locator("[data-transcript] > li .body")
    expect(shown).to_have_text(["one", "one"])
    chat.ask("two").wait_for_end()
    slow[0].connect_to_server()
    expect(shown).to_have_text(["one", "one", "two", "two"])
