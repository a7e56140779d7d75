"""Temporary chats are in no list until they are kept."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.e2e.chat import Chat
from tests.e2e.people import Person


def test_a_temporary_chat_is_deleted_at_once_and_comes_back(chat: Chat) -> None:
    chat.page.get_by_role("switch", name="Temporary").click()
    chat.ask("echo:a secret").wait_for_end()
    address = chat.page.url
    banner = chat.page.locator("[data-banner]")
    banner.get_by_role("button", name="Delete").click()
    chat.expect_notice("1 conversation deleted.")
    expect(banner).to_be_hidden()
    expect(chat.page.locator("[data-transcript]")).to_be_empty()
    chat.page.get_by_role("button", name="Undo").click()
    expect(chat.answer).to_have_text("a secret")
    expect(chat.page).to_have_url(address)
    expect(chat.sidebar.locator(".entry")).to_have_count(0)
    banner.get_by_role("button", name="Delete").click()
    expect(banner).to_be_hidden()
    response = chat.page.request.get(address)
    assert response.status == 404


def test_a_temporary_chat_is_listed_only_once_it_is_kept(
    person: Person, open_chat: Callable[..., Chat]
) -> None:
    chat, second = open_chat(person), open_chat(person)
    switch = chat.page.get_by_role("switch", name="Temporary")
    banner = chat.page.locator("[data-banner]")
    keep = banner.get_by_role("button", name="Keep")
    share = chat.page.get_by_role("button", name="Share")

    expect(banner).to_be_hidden()
    switch.click()
    expect(switch).to_be_checked()
    expect(banner).to_contain_text("deleted 24 hours after its last message")
    expect(keep).to_be_hidden()
    chat.ask("echo:not for long").wait_for_end()
    expect(switch).to_be_hidden()
    expect(share).to_be_hidden()
    address = chat.page.url
    expect(chat.sidebar).to_contain_text("Your conversations will appear here.")
    expect(second.sidebar).to_contain_text("Your conversations will appear here.")

    chat.new()
    expect(banner).to_be_hidden()  # the next one is like any other
    expect(switch).not_to_be_checked()
    chat.ask("echo:for good").wait_for_end()
    expect(chat.entry("echo:for good")).to_be_visible()
    expect(second.entry("echo:for good")).to_be_visible()

    second.page.goto(address)
    chat.page.goto(address)
    expect(chat.answer).to_have_text("not for long")
    expect(chat.sidebar.locator(".entry")).to_have_count(1)
    chat.ask("echo:a little longer").wait_for_end()
    keep.click()
    chat.expect_notice("You find it in your list.")
    expect(banner).to_be_hidden()
    expect(share).to_be_visible()
    expect(chat.box).to_be_focused()
    for each in (chat, second):
        expect(each.entry("echo:not for long")).to_be_visible()
    expect(second.page.locator("[data-banner]")).to_be_hidden()
    chat.page.reload()
    expect(chat.entry("echo:not for long")).to_be_visible()
    expect(banner).to_be_hidden()
    chat.page.keyboard.press("Control+k")
    chat.page.keyboard.type("not for long")
    expect(chat.page.get_by_role("option").first).to_contain_text("not for long")
