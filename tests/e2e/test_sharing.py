"""A link to a conversation: a copy, for whoever has it, until its owner turns it off."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.browsing import Windows, Witness
from tests.e2e.chat import Chat
from tests.e2e.links import close_dialog, share
from tests.e2e.people import Person
from tests.e2e.shots import ANSWER


def test_the_link_opens_logged_out_and_stays_as_it_was(chat: Chat, windows: Windows) -> None:
    chat.ask("echo:**first** answer").wait_for_end()
    address = share(chat)
    close_dialog(chat.page)
    chat.ask("later words").wait_for_end()
    reader = windows.window().new_page()
    response = reader.goto(address)
    assert response
    assert "noindex" in response.headers["x-robots-tag"]
    assert response.headers["referrer-policy"] == "no-referrer"
    expect(reader.get_by_role("heading", level=1)).to_have_text("echo:**first** answer")
    expect(reader.locator(".message.assistant strong")).to_have_text("first")
    expect(reader.locator("body")).not_to_contain_text("later words")
    expect(reader.locator("body")).not_to_contain_text("Person")
    expect(reader.locator("meta[name=robots]")).to_have_attribute("content", "noindex, nofollow, noarchive")


def reads_as_in_the_chat(page: Page) -> None:
    answer = page.locator(".message.assistant")
    expect(answer.locator("math")).to_have_count(2)
    expect(answer.locator("code.math")).to_have_count(0)
    expect(answer.locator(".code .hljs-keyword").first).to_be_visible()
    expect(answer.locator(".table table")).to_be_visible()


def test_formulas_and_code_read_as_in_the_chat(chat: Chat, windows: Windows) -> None:
    """On the shared page and on the one to be printed, whose buttons are not."""
    chat.ask(ANSWER).wait_for_end()
    reader = windows.page(None, share(chat))
    reads_as_in_the_chat(reader)
    copy = reader.get_by_role(
        "button", name="Copy", exact=True
    ).last  # the first is at the code of the question
    copy.click()
    expect(reader.get_by_role("button", name="Copied")).to_be_visible()
    close_dialog(chat.page)
    chat.page.goto(f"{chat.page.url}print/")
    reads_as_in_the_chat(chat.page)
    buttons = chat.page.locator(".code-bar button").first
    expect(buttons).to_be_visible()
    chat.page.emulate_media(media="print")
    expect(buttons).to_be_hidden()


def test_a_link_that_is_turned_off_leads_nowhere(chat: Chat, windows: Windows, witness: Witness) -> None:
    witness.allow(r"404 \(Not Found\)")
    chat.ask("hello").wait_for_end()
    address = share(chat)
    chat.page.get_by_role("dialog").get_by_role("button", name="Turn off").click()
    expect(chat.page.locator("[data-links] li")).to_have_count(0)
    reader = windows.page(None, address)
    expect(reader.get_by_role("heading")).to_have_text("This link leads nowhere")


def test_a_link_for_members_asks_strangers_to_log_in(chat: Chat, windows: Windows, other: Person) -> None:
    chat.ask("hello members").wait_for_end()
    address = share(chat, members_only=True)
    expect(windows.page(None, address).get_by_role("heading", name="Log in")).to_be_visible()
    expect(windows.page(other, address).locator(".message.assistant")).to_contain_text("hello members")


def test_anyone_may_report_a_shared_page(chat: Chat, windows: Windows) -> None:
    chat.ask("hello world").wait_for_end()
    reader = windows.page(None, share(chat))
    reader.get_by_text("Report this page").click()
    reader.get_by_label("Harmful or hateful").check()
    reader.get_by_role("button", name="Send report").click()
    expect(reader.get_by_role("status")).to_have_text("Thank you. Staff will look at your report.")


def test_sharing_waits_for_the_end_of_the_reply(chat: Chat, witness: Witness) -> None:
    witness.allow("409")
    chat.ask("slow:300:60").wait_for_words(2)
    chat.page.get_by_role("button", name="Share", exact=True).click()
    dialog = chat.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Create a link").click()
    expect(dialog.get_by_role("alert")).to_contain_text("still being written")
    dialog.get_by_role("button", name="Close").click()
    chat.stop()
    chat.wait_for_end()
