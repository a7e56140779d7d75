"""The voice of the model: details of an answer."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.e2e.chat import Chat


def test_details_of_an_answer(chat: Chat) -> None:
    chat.ask("slow:5:20").wait_for_whole(5)
    chat.more("Details")
    dialog = chat.page.get_by_role("dialog")
    facts = dialog.locator(".facts > div")
    expect(facts.filter(has_text="Tokens written")).to_contain_text("5")
    expect(facts.filter(has_text="How it ended")).to_contain_text("The model was done.")
    expect(facts.filter(has_text="Seed")).to_contain_text(re.compile(r"\d{5,}"))
    chat.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
