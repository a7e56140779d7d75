"""Footnotes and collapsible sections of an answer, in the chat and where it is read without scripts."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.e2e.chat import Chat

NOTES = "Bread[^1] and wine[^2].\n\n[^1]: Of rye.\n[^2]: Red."
SECTION = "<details>\n<summary>How it was found</summary>\n\n- a *step*\n\n</details>\n\nThe end."


def answer(chat: Chat, text: str) -> Chat:
    return chat.ask(f"echo:{text}").wait_for_end()


def ids(page: Page) -> list[str]:
    return list(page.locator(".markdown [id]").evaluate_all("(nodes) => nodes.map((each) => each.id)"))


def test_a_footnote_leads_there_and_back(chat: Chat) -> None:
    answer(chat, NOTES)
    address = chat.page.url
    reference = chat.answer.locator("sup").get_by_role("link", name="2")
    expect(reference).to_have_attribute("href", re.compile("^#note-[1-9]"))  # the script for them is loaded
    reference.click()
    note = chat.answer.locator(".notes li").last
    expect(note).to_have_text(re.compile("^Red"))
    expect(note).to_be_focused()
    note.get_by_role("link", name="Back to the text").click()
    expect(reference).to_be_focused()
    assert chat.page.url == address


def test_notes_of_several_answers_have_addresses_of_their_own(chat: Chat) -> None:
    for _ in range(2):
        answer(chat, NOTES)
        expect(chat.answer.locator(".notes li[id]")).to_have_count(2)
    found = ids(chat.page)
    assert len(found) == len(set(found)) == 8


def test_a_section_opens_with_a_click(chat: Chat) -> None:
    answer(chat, SECTION)
    step = chat.answer.get_by_text("a step")
    expect(step).to_be_hidden()
    chat.answer.get_by_text("How it was found").click()
    expect(step).to_be_visible()
    expect(chat.answer.get_by_text("The end.")).to_be_visible()


def test_the_printed_page_has_notes_and_sections(chat: Chat) -> None:
    answer(chat, f"{NOTES}\n\n{SECTION}")
    answer(chat, NOTES)
    page = chat.page
    page.goto(f"{page.url}print/")
    expect(page.locator("sup a")).to_have_count(4)
    found = ids(page)
    assert len(found) == len(set(found)) == 8
    for link in page.locator("sup a").all():
        expect(page.locator(str(link.get_attribute("href")))).to_be_visible()
    expect(page.get_by_text("a step")).to_be_hidden()
    page.emulate_media(media="print")
    expect(page.get_by_text("a step")).to_be_visible()
