"""Answers can be copied with their formatting, rated by one click and compared with other versions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.browsing import Windows, until
from tests.e2e.chat import Chat
from tests.e2e.people import Person

RICH = r"""echo:## Bread

A **good** loaf of [ours](https://example.org/).

1. Mix
   - well
2. Wait

| Flour | Water |
| --- | --- |
| 500 g | 350 g |

```python
def bake(loaf):
    return loaf
```
"""
# A box that takes what is pasted as a word processor does.
PAGE = """() => {
  const box = Object.assign(document.createElement("div"), { id: "paper" });
  box.addEventListener("paste", (event) => {
    event.preventDefault();
    window.pasted = ["text/html", "text/plain"].map((type) => event.clipboardData.getData(type));
  });
  box.contentEditable = "true";
  document.querySelector(".dock").prepend(box);
}"""
NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', { value: undefined })"  # as on plain http


def pasted(chat: Chat) -> list[str]:
    paper = chat.page.locator("#paper")
    paper.focus()
    chat.page.keyboard.press("ControlOrMeta+v")
    return list(chat.page.evaluate("window.pasted ?? ['', '']"))


@pytest.mark.parametrize("script", ["", NO_CLIPBOARD], ids=["https", "http"])
def test_an_answer_is_copied_with_headings_lists_tables_and_code(
    windows: Windows, person: Person, script: str
) -> None:
    context = windows.window(person)
    context.add_init_script(script)
    page = context.new_page()
    page.goto("/")
    chat = Chat(page)
    chat.ask(RICH).wait_for_end()
    expect(chat.answer.locator(".hljs-keyword").first).to_be_visible()
    page.evaluate(PAGE)
    chat.answers.last.get_by_role("button", name="Copy", exact=True).last.click()
    until(page, lambda: pasted(chat)[0], "something is pasted")
    html, text = pasted(chat)
    assert text == RICH.removeprefix("echo:").strip()
    page.evaluate("(html) => { document.querySelector('#paper').innerHTML = html; }", html)
    paper = page.locator("#paper")
    expect(paper.locator("h2")).to_have_text("Bread")
    expect(paper.locator("strong")).to_have_text("good")
    expect(paper.locator("ol > li")).to_have_count(2)
    expect(paper.locator("ol ul li")).to_have_text("well")
    expect(paper.locator("td")).to_have_text(["500 g", "350 g"])
    assert paper.locator("pre").inner_text() == "def bake(loaf):\n    return loaf"
    expect(paper.get_by_role("link")).to_have_attribute("href", "https://example.org/")
    for label in ("Wrap lines", "Copy", "python"):
        expect(paper).not_to_contain_text(label)


def test_copying_as_text_copies_no_formatting(chat: Chat) -> None:
    chat.ask("echo:**Bold** words.").wait_for_end()
    chat.page.evaluate(PAGE)
    chat.more("Copy as text")
    until(chat.page, lambda: pasted(chat) == ["", "Bold words."], "the text alone")


def thumb(chat: Chat, name: str) -> Locator:
    return chat.answers.last.get_by_role("button", name=name)


def test_one_click_gives_feedback_and_a_reason_may_follow(
    chat: Chat, windows: Windows, admin: Person
) -> None:
    chat.ask("echo:salt the cake").wait_for_end()
    good, poor = thumb(chat, "Good answer"), thumb(chat, "Poor answer")
    poor.click()
    chat.expect_notice("Thank you for your feedback.")
    expect(poor).to_have_attribute("aria-pressed", "true")
    expect(good).to_have_attribute("aria-pressed", "false")
    admin_page = windows.page(admin, "/admin/feedback/feedback/")
    expect(admin_page.locator("#result_list tbody tr")).to_have_count(1)  # stored before any reason

    chat.notice.get_by_role("button", name="Say why").click()
    dialog = chat.page.get_by_role("dialog", name="What was poor?")
    dialog.get_by_label("Not correct").check()
    dialog.get_by_label("Note").fill("cakes need sugar")
    dialog.get_by_role("button", name="Send").click()
    chat.expect_notice("Thank you. Staff see the reason.")
    admin_page.reload()
    expect(admin_page.get_by_role("cell", name="not correct").first).to_be_visible()
    admin_page.locator("#result_list tbody th a").first.click()
    expect(admin_page.locator("#content")).to_contain_text("cakes need sugar")
    expect(admin_page.locator("#content")).not_to_contain_text("salt the cake")

    chat.page.reload()
    expect(poor).to_have_attribute("aria-pressed", "true")
    good.click()
    expect(good).to_have_attribute("aria-pressed", "true")
    expect(poor).to_have_attribute("aria-pressed", "false")
    good.press("Enter")  # once more takes it back, and the focus stays
    chat.expect_notice("The feedback is withdrawn.")
    expect(good).to_have_attribute("aria-pressed", "false")
    expect(good).to_be_focused()
    admin_page.goto("/admin/feedback/feedback/")
    expect(admin_page.locator("#result_list tbody tr")).to_have_count(0)


def test_versions_name_the_options_they_were_asked_with(chat: Chat, open_chat: Callable[..., Chat]) -> None:
    chat.ask("echo:tea").wait_for_end()
    chat.answers.last.get_by_role("button", name="Ask again").click()
    chat.wait_for_end()
    differs = chat.answers.last.locator(".differs")
    expect(chat.answers.last.locator(".place")).to_have_text("2 of 2")
    expect(differs).to_have_count(0)  # the same model, the same settings
    chat.more("Ask again, more freely")
    expect(chat.answers.last.locator(".place")).to_have_text("3 of 3")
    chat.wait_for_end()
    expect(differs).to_have_text("Temperature 1.2")
    chat.more("Ask again as…")
    chat.page.get_by_role("menuitemradio", name="Fun").click()
    expect(chat.answers.last.locator(".place")).to_have_text("4 of 4")
    chat.wait_for_end()
    expect(differs).to_have_text("Fun · Temperature 0.7")
    chat.answers.last.get_by_role("button", name="Previous version").click()
    expect(differs).to_have_text("No persona · Temperature 1.2")
