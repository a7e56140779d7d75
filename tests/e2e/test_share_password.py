"""A link with a password: made and changed in the dialog, asked on a page that needs no scripts."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.browsing import Windows
from tests.e2e.chat import Chat

PASSWORD, OTHER = "correct horse", "battery staple"


def test_a_reader_gives_the_password_and_again_after_a_change(chat: Chat, windows: Windows) -> None:
    chat.ask("echo:Bread needs time.").wait_for_end()
    page = chat.page
    page.get_by_role("button", name="Share").click()
    dialog = page.locator("#share-dialog")
    expect(dialog.get_by_label("Password of the link")).to_be_hidden()
    dialog.get_by_label("For", exact=True).select_option("password")
    dialog.get_by_label("Password of the link").fill("short")
    dialog.get_by_role("button", name="Create a link").click()
    expect(dialog.get_by_label("Password of the link")).to_be_focused()
    expect(dialog.locator("[data-links] li")).to_have_count(0)
    dialog.get_by_label("Password of the link").fill(PASSWORD)
    dialog.get_by_role("button", name="Create a link").click()
    link = dialog.locator("[data-links] li")
    expect(link).to_contain_text("people who know a password")
    address = str(link.locator("code").get_attribute("title"))

    reader = windows.page(None, address)
    expect(reader.get_by_role("heading")).to_have_text("This page has a password")
    reader.get_by_label("Password").fill(PASSWORD)
    reader.get_by_role("button", name="Open the page").click()
    expect(reader.locator(".message.assistant")).to_contain_text("Bread needs time.")

    link.get_by_role("button", name="Change").click()
    link.get_by_label("Password of the link").fill(OTHER)
    link.get_by_role("button", name="Save").click()
    expect(link.get_by_role("status")).to_have_text("Changed. Readers are asked again.")
    reader.reload()
    expect(reader.get_by_role("heading")).to_have_text("This page has a password")
    reader.get_by_label("Password").fill(OTHER)
    reader.get_by_role("button", name="Open the page").click()
    expect(reader.locator(".message.assistant")).to_contain_text("Bread needs time.")
