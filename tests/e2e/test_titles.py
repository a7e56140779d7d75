"""The sidebar shows a new title as soon as the model has written it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.browsing import PATIENCE
from tests.e2e.chat import Chat

SOON = PATIENCE * 1000


def test_a_title_appears_without_a_reload(chat: Chat) -> None:
    chat.ask("slow:30:20 How do I cook rice? title:Cooking rice")
    expect(chat.entry("slow:30:20 How do I cook rice? title:Cooking rice")).to_be_visible()
    chat.wait_for_end()
    expect(chat.entry("Cooking rice")).to_be_visible(timeout=SOON)
    expect(chat.sidebar.locator(".entry")).to_have_count(1)
    expect(chat.page).to_have_title("Cooking rice · GrokWeb", timeout=SOON)
    chat.page.reload()
    expect(chat.entry("Cooking rice")).to_be_visible()


def test_the_first_words_stay_where_the_model_finds_none(chat: Chat) -> None:
    chat.ask("echo:plain words").wait_for_end()
    chat.new().ask("echo:second\ntitle:Second talk").wait_for_end()
    expect(chat.entry("Second talk")).to_be_visible(timeout=SOON)  # asked after the first one was
    expect(chat.entry("echo:plain words")).to_be_visible()
