"""Uses the dialog that shares a conversation."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.chat import Chat


def share(chat: Chat, *, members_only: bool = False) -> str:
    """Makes a link and returns its address."""
    chat.page.get_by_role("button", name="Share", exact=True).click()
    dialog = chat.page.get_by_role("dialog")
    if members_only:
        dialog.get_by_label("For", exact=True).select_option("members")
    dialog.get_by_role("button", name="Create a link").click()
    link = dialog.locator("[data-links] code").first
    expect(link).to_be_visible()
    address = link.get_attribute("title")
    assert address
    return address


def close_dialog(page: Page) -> None:
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
