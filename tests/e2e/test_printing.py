"""Printed pages hold the words and nothing of the page around them; long lines of code are not cut."""

from __future__ import annotations

import io

import pypdf
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browsing import Windows
from tests.e2e.chat import Chat
from tests.e2e.links import close_dialog, share

LINE = " ".join(f"word{number}" for number in range(60))
QUESTION = f"echo:Before.\n\n```python\n{LINE}\n```\n\nAfter.\n" + "\n".join(f"line {n}" for n in range(40))
AROUND = (
    *("Skip to", "Show all", "Show less", "Copy", "Wrap lines", "Write a message", "New chat", "Ask again"),
    *("Back to the chat", "Report this page", "Your conversations", "Print this page"),
)


def printed(page: Page) -> str:
    pages = pypdf.PdfReader(io.BytesIO(page.pdf())).pages
    return " ".join(" ".join(each.extract_text().split()) for each in pages)


@pytest.mark.parametrize("where", ["chat", "shared", "print"])
def test_a_printed_page_holds_the_words_alone_and_whole(chat: Chat, windows: Windows, where: str) -> None:
    chat.ask(QUESTION).wait_for_end()
    expect(chat.page.get_by_role("button", name="Show all")).to_be_visible()
    page = chat.page
    if where == "shared":
        address = share(chat)
        close_dialog(chat.page)
        page = windows.page(None, address)
    elif where == "print":
        page.goto(f"{page.url.rstrip('/')}/print/")
    text = printed(page)
    for number in range(60):
        assert text.count(f"word{number} ") + text.count(f"word{number}\u200b") >= 2, f"word{number} is cut"
    assert "line 39" in text
    assert [each for each in AROUND if each in text] == []
