"""Branches of a conversation: messages are edited, asked again, compared, continued and deleted."""

from __future__ import annotations

import subprocess
import sys

from playwright.sync_api import Locator, Route, expect

from tests.e2e.browsing import Windows, Witness
from tests.e2e.chat import Chat, words
from tests.e2e.people import Person
from tests.grokweb.service import ROOT, Service

# Prints the address of a talk of so many numbered messages, and the id of the one in the middle.
LONG_TALK = """
import sys
from chat.accounts.models import User
from tests.chat.conversations.building import long_talk
conversation, messages = long_talk(User.objects.get(email=EMAIL), LENGTH)
for n, message in enumerate(messages):
    message.text = f"message {n}"
type(messages[0]).objects.bulk_update(messages, ["text"])
print(conversation.get_absolute_url(), messages[LENGTH // 2].pk)
"""


def long_talk(service: Service, person: Person, length: int) -> tuple[str, str]:
    script = LONG_TALK.replace("EMAIL", repr(person.email)).replace("LENGTH", str(length))
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", script]
    done = subprocess.run(
        command, cwd=ROOT, env=service.environment, capture_output=True, text=True, check=True
    )
    address, wanted = done.stdout.split()[-2:]
    return address, wanted


def messages(chat: Chat) -> Locator:
    return chat.page.locator("[data-transcript] > li .body")


def tools(chat: Chat, place: int) -> Locator:
    message = chat.page.locator("[data-transcript] > li").nth(place)
    message.hover()
    return message.locator(".tools")


def talk(chat: Chat) -> None:
    for text in ("one", "two"):
        chat.ask(text).wait_for_end()
    expect(messages(chat)).to_have_text(["one", "one", "two", "two"])


def test_an_edit_is_another_version_and_both_stay(chat: Chat, windows: Windows, person: Person) -> None:
    talk(chat)
    tools(chat, 0).get_by_role("button", name="Edit").click()
    box = chat.page.locator("form.edit textarea")
    expect(box).to_be_focused()
    box.fill("first")
    box.press("Enter")
    expect(messages(chat)).to_have_text(["first", "first"])
    chat.wait_for_end()
    expect(tools(chat, 0).locator(".place")).to_have_text("2 of 2")
    tools(chat, 0).get_by_role("button", name="Previous version").click()
    expect(messages(chat)).to_have_text(["one", "one", "two", "two"])
    chat.page.reload()
    expect(messages(chat)).to_have_text(["one", "one", "two", "two"])  # each viewer keeps their own branch
    tools(chat, 0).get_by_role("button", name="Next version").click()
    expect(messages(chat)).to_have_text(["first", "first"])


def test_escape_cancels_an_edit(chat: Chat) -> None:
    talk(chat)
    tools(chat, 2).get_by_role("button", name="Edit").click()
    box = chat.page.locator("form.edit textarea")
    box.fill("something else")
    box.press("Escape")
    expect(messages(chat)).to_have_text(["one", "one", "two", "two"])
    expect(chat.page.locator(".versions")).to_have_count(0)


def test_an_edited_answer_is_another_marked_version(
    chat: Chat, windows: Windows, person: Person, witness: Witness
) -> None:
    witness.allow("413")
    talk(chat)
    other = Chat(windows.window(person).new_page())
    other.page.goto(chat.page.url)
    expect(messages(other)).to_have_text(["one", "one", "two", "two"])
    tools(chat, 1).get_by_role("button", name="More").click()
    chat.page.get_by_role("menuitem", name="Edit", exact=True).click()
    box = chat.page.get_by_label("The answer")
    expect(box).to_be_focused()
    box.fill("x" * 65_537)
    box.press("Control+Enter")
    expect(chat.page.locator("form.edit [role=alert]")).to_contain_text("65,537 characters")
    box.fill("my own")
    box.press("Enter")  # begins a line
    box.press("Control+Enter")
    for each in (chat, other):
        expect(messages(each)).to_have_text(["one", "my own"])
        expect(each.page.get_by_text("Edited by the person who asked")).to_be_visible()
        expect(tools(each, 1).locator(".place")).to_have_text("2 of 2")
    tools(chat, 1).get_by_role("button", name="Previous version").click()
    expect(messages(chat)).to_have_text(["one", "one", "two", "two"])
    tools(chat, 1).get_by_role("button", name="Next version").click()
    expect(messages(chat)).to_have_text(["one", "my own"])


def test_an_answer_in_the_middle_can_be_regenerated(chat: Chat) -> None:
    talk(chat)
    tools(chat, 1).get_by_role("button", name="Ask again").click()
    expect(messages(chat)).to_have_text(["one", "one"])
    chat.wait_for_end()
    tools(chat, 1).get_by_role("button", name="More").click()
    chat.page.get_by_role("menuitem", name="Ask again, more freely").click()
    expect(tools(chat, 1).locator(".place")).to_have_text("3 of 3")
    chat.wait_for_end()
    click_twice_before_the_server_answers(chat, tools(chat, 1).get_by_role("button", name="Previous version"))
    expect(messages(chat)).to_have_text(["one", "one", "two", "two"])
    chat.page.reload()
    expect(messages(chat)).to_have_text(["one", "one", "two", "two"])


def click_twice_before_the_server_answers(chat: Chat, button: Locator) -> None:
    held: list[Route] = []
    clicked = False

    def hold(route: Route) -> None:
        if clicked:
            route.continue_()
        else:
            held.append(route)

    chat.page.route("**/leaf/", hold)
    with chat.page.expect_request("**/leaf/"):
        button.click()
    button.click()
    clicked = True
    for route in held:
        route.continue_()


def test_a_stopped_answer_can_be_continued(chat: Chat) -> None:
    chat.ask("slow:40:60").wait_for_words(3)
    chat.stop()
    chat.page.get_by_role("button", name="Continue").click()
    expect(messages(chat).last).to_have_text(words(40))
    chat.wait_for_end()
    expect(tools(chat, 1).locator(".place")).to_have_text("2 of 2")
    chat.page.reload()
    expect(messages(chat).last).to_have_text(words(40))


def test_a_deleted_branch_disappears_in_every_window(chat: Chat, windows: Windows, person: Person) -> None:
    talk(chat)
    other = Chat(windows.page(person, chat.page.url))
    expect(messages(other)).to_have_text(["one", "one", "two", "two"])
    tools(chat, 2).get_by_role("button", name="More").click()
    chat.page.get_by_role("menuitem", name="Delete from here").click()
    chat.page.locator("#remove-dialog").get_by_role("button", name="Delete").click()
    for window in (chat, other):
        expect(messages(window)).to_have_text(["one", "one"])
    expect(chat.page.locator("#remove-dialog")).to_be_hidden()  # before that, nobody can type
    chat.ask("three").wait_for_end()
    expect(messages(other)).to_have_text(["one", "one", "three", "three"])


def test_a_link_to_a_message_opens_there_and_pages_load_both_ways(
    windows: Windows, person: Person, service: Service
) -> None:
    address, wanted = long_talk(service, person, 200)
    page = windows.page(person, f"{address}?m={wanted}")
    shown = page.locator("[data-transcript] > li .body")
    expect(page.get_by_text("message 100", exact=True)).to_be_in_viewport()
    expect(shown).to_have_count(50)
    page.get_by_role("button", name="Show later messages").click()
    expect(shown).to_have_count(100)
    page.get_by_role("button", name="Show earlier messages").click()
    expect(shown).to_have_count(150)
    chat = Chat(page)
    chat.ask("the newest").wait_for_end()
    expect(shown.nth(-3)).to_have_text("message 199")
    expect(shown.last).to_have_text("the newest")
