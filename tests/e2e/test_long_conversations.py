"""A summary below an answer is opened, edited and undone, and a message is pinned, with the keyboard."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, expect

from tests.e2e.chat import Chat
from tests.e2e.people import Person

SCRIPT = "echo:noted\nsummary:They spoke of bread."


def press(button: Locator, key: str = "Enter") -> None:
    button.focus()
    button.press(key)


def test_a_summary_is_opened_edited_and_undone_in_every_tab(
    chat: Chat, person: Person, open_chat: Callable[..., Chat]
) -> None:
    chat.ask(SCRIPT).wait_for_end()
    chat.ask("echo:more").wait_for_end()
    other = open_chat(person, chat.page.url)
    chat.summarise()
    divider, elsewhere = (tab.page.get_by_role("region", name="Summary") for tab in (chat, other))
    expect(divider).to_contain_text("From here the model reads a summary of the messages above.")
    press(divider.locator("summary"))
    expect(divider.locator(".summary-text")).to_have_text("They spoke of bread.")
    press(divider.get_by_role("button", name="Edit"))
    divider.get_by_role("textbox", name="Summary").fill("We spoke of rye.")
    press(divider.get_by_role("button", name="Save"))
    for place in (divider, elsewhere):
        expect(place).to_contain_text("edited by you")
    elsewhere.locator("summary").click()
    expect(elsewhere.locator(".summary-text")).to_have_text("We spoke of rye.")
    press(elsewhere.get_by_role("button", name="Undo the summary"))
    for place in (elsewhere, divider):
        expect(place).to_contain_text("The summary of the messages above is not used.")
    press(divider.get_by_role("button", name="Use it again"))
    expect(elsewhere).to_contain_text("edited by you")


def test_a_message_is_pinned_and_unpinned_in_every_tab(
    chat: Chat, person: Person, open_chat: Callable[..., Chat]
) -> None:
    chat.ask("echo:one").wait_for_end()
    other = open_chat(person, chat.page.url)
    for place in (".message.user", ".message.assistant"):
        here, there = (tab.page.locator(place) for tab in (chat, other))
        for entry, shown in (("Pin message", True), ("Unpin message", False)):
            press(here.get_by_role("button", name="More"))
            press(chat.page.get_by_role("menuitem", name=entry, exact=True))
            for message in (here, there):
                pinned = message.get_by_text("Pinned: the model always reads it.")
                expect(pinned).to_be_visible(visible=shown)
