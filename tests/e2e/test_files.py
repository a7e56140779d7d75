"""Files are chosen, dropped, pasted, refused, sent and read again."""

from __future__ import annotations

import os
import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.chat.files import making
from tests.e2e.browsing import PATIENCE, Windows, Witness
from tests.e2e.chat import Chat
from tests.e2e.people import Person

SHOTS = os.environ.get("FILES_SHOTS")
TRANSFER = """
(what) => {
  const data = new DataTransfer();
  if (what.text !== undefined) data.setData("text/plain", "x".repeat(what.text));
  else data.items.add(new File([what.content], what.name, { type: "text/plain" }));
  const options = { bubbles: true, cancelable: true };
  const event = what.paste
    ? new ClipboardEvent("paste", { ...options, clipboardData: data })
    : new DragEvent("drop", { ...options, dataTransfer: data });
  return document.querySelector(what.paste ? "#text" : "[data-main]").dispatchEvent(event);
}
"""


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


def test_a_file_is_sent_with_a_message(chat: Chat, witness: Witness, tmp_path: Path) -> None:
    witness.allow(r"400 \(Bad Request\)")
    page = chat.page
    notes, plan, photo = tmp_path / "notes.txt", tmp_path / "plan.pdf", tmp_path / "photo.txt"
    notes.write_text("Buy milk and eggs.")
    plan.write_bytes(making.pdf("Leave at noon"))
    photo.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30))
    chips = page.locator(".files .chip")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach files").click()
    chooser.value.set_files([notes, plan, photo])
    expect(chips).to_have_count(3)
    expect(chips.nth(0)).to_contain_text(re.compile(r"18 B · about \d+ tokens"), timeout=PATIENCE * 1000)
    expect(chips.nth(1)).to_contain_text(re.compile(r"kB · about|B · about"))
    expect(chips.nth(2)).to_contain_text("This image is broken")
    expect(page.locator("[data-gauge]")).to_have_text(re.compile(r"about \d+ of [\d,]+ tokens"))

    chat.ask("What is in them?")
    chat.expect_notice("“photo.txt” cannot be sent. Remove it first.")
    expect(chat.box).to_have_value("What is in them?")
    shot(page, "chips")
    page.get_by_role("button", name="Remove “photo.txt”").press("Enter")
    page.reload()
    chat = Chat(page)
    expect(chips).to_have_count(2)
    expect(chips.nth(0)).to_contain_text("about")
    chat.ask("What is in them?").wait_for_end()
    expect(chips).to_have_count(0)
    for words in ("File: notes.txt", "Buy milk and eggs.", "Leave at noon", "What is in them?"):
        expect(chat.answer).to_contain_text(words)  # it echoes what it was given to read
    expect(chat.questions).to_have_text("What is in them?")
    shot(page, "sent")

    page.reload()
    chat = Chat(page)
    page.get_by_role("list", name="Files", exact=True).get_by_role("button", name="notes.txt").click()
    dialog = page.get_by_role("dialog", name="notes.txt")
    expect(dialog.locator("pre")).to_have_text("Buy milk and eggs.")
    shot(page, "dialog")
    with page.expect_download() as saved:
        dialog.get_by_role("link", name="Download the original").click()
    assert saved.value.suggested_filename == "notes.txt"
    page.keyboard.press("Escape")

    chat.page.locator(".message.user").hover()
    chat.page.locator(".message.user").get_by_role("button", name="Edit").click()
    form = page.locator("form.edit")
    form.get_by_label("Your message").fill("And again?")
    form.get_by_label("Your message").press("Enter")
    expect(chat.answer).to_contain_text("And again?")
    expect(chat.answer).to_contain_text("Buy milk and eggs.")
    expect(page.locator(".message-files .chip")).to_have_count(2)


def test_a_guessed_encoding_is_told_and_another_can_be_chosen(chat: Chat, tmp_path: Path) -> None:
    page = chat.page
    file = tmp_path / "question.txt"
    file.write_bytes("Où ?".encode("mac_roman"))
    page.locator("[data-composer] input[data-choose]").set_input_files(file)
    chip = page.locator(".files .chip")
    expect(chip).to_contain_text("read as windows-1250, a guess")
    chip.get_by_role("button", name="question.txt").first.click()
    dialog = page.get_by_role("dialog", name="question.txt")
    expect(dialog.locator("pre")).to_have_text("Oť ?")
    expect(dialog.get_by_label("Read as")).to_have_value("cp1250")
    dialog.get_by_label("Read as").select_option("Mac Roman")
    expect(dialog.locator("pre")).to_have_text("Où ?")
    shot(page, "encoding")
    page.keyboard.press("Escape")
    expect(chip).to_contain_text("read as Mac Roman")
    chat.ask("Well?").wait_for_end()
    expect(chat.answer).to_contain_text("Où ?")


def test_files_can_be_dropped_and_pasted(chat: Chat) -> None:
    page = chat.page
    chips = page.locator(".files .chip")
    page.evaluate(TRANSFER, {"content": "a,b\n1,2\n", "name": "table.csv"})
    expect(chips.filter(has_text="table.csv")).to_contain_text("about")
    page.evaluate(TRANSFER, {"paste": True, "content": "SELECT 1", "name": "query.sql"})
    expect(chips.filter(has_text="query.sql")).to_contain_text("about")

    assert page.evaluate(TRANSFER, {"paste": True, "text": 9000})  # goes into the box as ever
    chat.expect_notice("That was a long text (9,000 characters).")
    refused = not page.evaluate(TRANSFER, {"paste": True, "text": 10_000_000})
    assert refused
    chat.expect_notice("too long for the message box (10,000,000 characters)")
    expect(chat.box).to_have_value("")
    shot(page, "paste")
    assert page.evaluate(TRANSFER, {"paste": True, "text": 40_000})
    page.get_by_role("button", name="Attach it as a file").click()
    expect(chips.filter(has_text="Pasted text.txt")).to_contain_text("39 kB · about")
    gauge = page.locator("[data-gauge]")
    expect(gauge).to_contain_text("Remove “Pasted text.txt” if it does not fit.")
    chat.ask("Well?")
    chat.expect_notice("Remove “Pasted text.txt” or shorten it.")
    expect(chat.box).to_have_value("Well?")
    page.get_by_role("button", name="Remove “Pasted text.txt”").click()
    chat.ask("Well?").wait_for_end()
    expect(chat.answer).to_contain_text("SELECT 1")


def test_files_work_on_a_phone_in_french(windows: Windows, person: Person, tmp_path: Path) -> None:
    page = windows.page(person, size=(320, 640), language="fr-FR", dark=True, touch=True)
    chat = Chat(page)
    file = tmp_path / "un-nom-de-fichier-vraiment-tres-long-pour-un-telephone.md"
    file.write_text("# Titre")
    page.locator("[data-composer] input[data-choose]").set_input_files(file)
    expect(page.locator(".files .chip")).to_contain_text("jetons")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shot(page, "phone")
    chat.ask("Alors ?").wait_for_end()
    expect(page.locator(".message-files .chip")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shot(page, "phone-sent")
