"""Reports a message, and uses the pages of the admin."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.e2e.chat import Chat


def report(chat: Chat, note: str) -> None:
    chat.more("Report")
    dialog = chat.page.get_by_role("dialog")
    dialog.get_by_label("Note (optional)").fill(note)
    dialog.get_by_role("button", name="Send report").click()
    chat.expect_notice("Thank you. Staff will look at it.")


def search(admin_page: Page, section: str, words: str) -> None:
    """Opens a section of the admin and searches it."""
    admin_page.goto("/admin/")
    admin_page.locator("#content-main th").get_by_role("link", name=section, exact=True).click()
    admin_page.locator("#searchbar").fill(words)
    admin_page.locator("#searchbar").press("Enter")
    admin_page.wait_for_url("**/?q=*")


def open_first(admin_page: Page) -> None:
    admin_page.locator("#result_list tbody th a").first.click()
