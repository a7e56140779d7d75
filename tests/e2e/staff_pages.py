"""A report, and staff's pages, as people use them."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.e2e.chat import Chat


def report(chat: Chat, note: str) -> None:
    chat.more("Report")
    dialog = chat.page.get_by_role("dialog")
    dialog.get_by_label("Note (optional)").fill(note)
    dialog.get_by_role("button", name="Send report").click()
    chat.expect_notice("Thank you. Staff will look at it.")


def search(desk: Page, section: str, words: str) -> None:
    """A section of the admin, searched."""
    desk.goto("/admin/")
    desk.locator("#content-main th").get_by_role("link", name=section, exact=True).click()
    desk.locator("#searchbar").fill(words)
    desk.locator("#searchbar").press("Enter")
    desk.wait_for_url("**/?q=*")


def open_first(desk: Page) -> None:
    desk.locator("#result_list tbody th a").first.click()
