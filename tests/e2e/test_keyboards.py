"""Input methods, other keyboard layouts, what is pasted from elsewhere, and what a selection takes along."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.chat import Chat

# The key that ends a composition. Safari ends it first, so that the key itself no longer says so.
KEY = """(field, [key, order]) => {
  const safari = order === "Safari";
  const say = (type) => field.dispatchEvent(new CompositionEvent(type, { bubbles: true, data: "日本" }));
  field.focus();
  say("compositionstart");
  if (safari) say("compositionend");
  field.dispatchEvent(new KeyboardEvent("keydown", {
    key, keyCode: safari ? 229 : 13, isComposing: !safari, bubbles: true, cancelable: true,
  }));
  if (!safari) say("compositionend");
}"""
ORDERS = pytest.mark.parametrize("order", ["Safari", "others"])
PRESS = """(key) => document.activeElement.dispatchEvent(
  new KeyboardEvent("keydown", { ...key, bubbles: true, cancelable: true }))"""
PASTE = """(area, { files, text, html }) => {
  const data = new DataTransfer();
  for (const [name, type] of files) data.items.add(new File(["some words"], name, { type }));
  if (text) data.setData("text/plain", text);
  if (html) data.setData("text/html", html);
  const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
  return !area.dispatchEvent(event);
}"""


def compose(field: Locator, key: str, order: str) -> None:
    field.evaluate(KEY, [key, order])


@ORDERS
def test_enter_of_an_input_method_sends_nothing_and_saves_no_title(chat: Chat, order: str) -> None:
    chat.ask("about soup").wait_for_end()
    chat.box.fill("にほん")
    compose(chat.box, "Enter", order)
    chat.menu_of("about soup").get_by_role("menuitem", name="Rename").click()
    title = chat.page.get_by_label("New title")
    title.fill("すーぷ")
    compose(title, "Enter", order)
    expect(title).to_be_visible()
    compose(title, "Escape", order)
    expect(title).to_have_value("すーぷ")
    title.press("Enter")  # a real one saves
    expect(chat.entry("すーぷ")).to_be_visible()
    expect(chat.box).to_have_value("にほん")
    expect(chat.questions).to_have_text(["about soup"])


@ORDERS
def test_enter_of_an_input_method_runs_nothing_in_the_palette(chat: Chat, order: str) -> None:
    chat.ask("about soup").wait_for_end()
    chat.page.keyboard.press("Control+k")
    box = chat.page.get_by_role("dialog", name="Search").get_by_role("combobox")
    box.fill("new ch")
    compose(box, "Enter", order)
    compose(box, "Escape", order)
    expect(box).to_be_visible()
    expect(chat.questions).to_have_text(["about soup"])
    box.press("Enter")  # a real one does
    expect(chat.page.get_by_text("What would you like to know?")).to_be_visible()


@ORDERS
def test_an_edit_stays_open_for_an_input_method(chat: Chat, order: str) -> None:
    chat.ask("one").wait_for_end()
    chat.questions.first.hover()
    chat.page.locator(".message.user").get_by_role("button", name="Edit").click()
    box = chat.page.locator("form.edit textarea")
    box.fill("にほん")
    for key in ("Enter", "Escape"):
        compose(box, key, order)
        expect(box).to_have_value("にほん")


@ORDERS
def test_escape_of_an_input_method_does_not_stop_an_answer(chat: Chat, order: str) -> None:
    chat.ask("slow:40:60").wait_for_words(2)
    compose(chat.box, "Escape", order)
    chat.wait_for_whole(40)


def test_shortcuts_work_on_a_cyrillic_layout(chat: Chat) -> None:
    page = chat.page
    chat.ask("about soup").wait_for_end()
    page.evaluate(PRESS, {"key": "л", "code": "KeyK", "ctrlKey": True})
    palette = page.get_by_role("dialog", name="Search")
    expect(palette).to_be_visible()
    page.keyboard.press("Escape")
    page.evaluate(PRESS, {"key": ".", "code": "Slash", "ctrlKey": True})
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.evaluate(PRESS, {"key": "Щ", "code": "KeyO", "ctrlKey": True, "shiftKey": True})
    expect(page.get_by_text("What would you like to know?")).to_be_visible()


def chips(page: Page) -> Locator:
    return page.locator("[data-files] .chip .name")


def test_files_pasted_from_a_file_manager_are_attached(chat: Chat) -> None:
    files = [["notes.txt", "text/plain"]]
    for text in ("notes.txt", "/home/ada/notes.txt", "file:///home/ada/notes.txt"):
        assert chat.box.evaluate(PASTE, {"files": files, "text": text}), text
        expect(chips(chat.page)).to_have_text(["notes.txt"])
        chat.page.get_by_role("button", name="Remove “notes.txt”").click()
        expect(chips(chat.page)).to_have_count(0)


def test_text_that_comes_with_a_picture_of_itself_stays_text(chat: Chat) -> None:
    """Word processors and spreadsheets put a picture of what was copied beside it."""
    files = [["image.png", "image/png"]]
    given = {"files": files, "text": "Dear Ada,", "html": "<p>Dear Ada,</p>"}
    assert not chat.box.evaluate(PASTE, given)  # the browser puts the words into the box
    expect(chips(chat.page)).to_have_count(0)


def test_a_copied_selection_has_no_labels(chat: Chat) -> None:
    chat.ask("echo:Select this answer.\n\n```py\nx = 1\n```\n\nThe end.").wait_for_end()
    page = chat.page
    chat.answers.last.evaluate("(answer) => getSelection().selectAllChildren(answer)")
    page.keyboard.press("ControlOrMeta+c")
    chat.box.fill("")
    chat.box.press("ControlOrMeta+v")
    lines = [line for line in chat.box.input_value().splitlines() if line.strip()]
    assert lines == ["Select this answer.", "x = 1", "The end."]
