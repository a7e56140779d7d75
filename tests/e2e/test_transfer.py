"""Conversations are imported from ChatGPT and exported again."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from playwright.sync_api import expect

from tests.chat.transfer import files
from tests.e2e.browsing import Windows, Witness
from tests.e2e.chat import Chat
from tests.e2e.people import Person


def test_conversations_can_be_exported_and_imported(
    windows: Windows, witness: Witness, person: Person, tmp_path: Path
) -> None:
    witness.allow(r"400 \(Bad Request\)")
    broken, export = tmp_path / "broken.json", tmp_path / "conversations.json"
    broken.write_bytes(b'[{"mapping": ')
    export.write_text(json.dumps([files.chatgpt(), {"title": "Odd", "mapping": {"a": {"parent": "a"}}}]))
    page = windows.page(person, "/settings/")
    section = page.get_by_role("region", name="Your data")
    section.get_by_label("File").set_input_files(broken)
    section.get_by_role("button", name="Import").click()
    expect(section.get_by_role("alert")).to_have_text("The file is cut off or broken.")

    section.get_by_label("File").set_input_files(export)
    section.get_by_role("button", name="Import").press("Enter")
    heading = section.get_by_role("heading", name="1 conversation was imported, 3 messages.")
    expect(heading).to_be_focused()
    report = section.locator("[data-report]")
    expect(report).to_contain_text("2 steps of tools were left out.")
    expect(report).to_contain_text("Its messages answer each other in a circle.")
    report.get_by_role("link", name="Bread").click()

    chat = Chat(page)
    expect(chat.questions).to_have_text("How long does dough rise?")
    expect(chat.answer.locator("strong")).to_have_text("kitchen")
    expect(page.get_by_text("Imported from ChatGPT", exact=True)).to_be_visible()
    page.locator(".message.assistant").get_by_role("button", name="More").click()
    expect(page.locator("[data-feedback]")).to_have_count(0)  # the model here did not write it
    page.get_by_role("menuitem", name="Details").click()
    expect(page.get_by_role("dialog")).to_contain_text("Imported from ChatGPT")
    page.keyboard.press("Escape")
    chat.menu_of("Bread").get_by_role("menuitem", name="Export…").press("Enter")
    with page.expect_download() as saved:
        page.get_by_role("menuitem", name="Markdown, to read").press("Enter")
    assert saved.value.suggested_filename == "Bread.md"
    assert "In a warm **kitchen**." in Path(saved.value.path()).read_text()
    chat.menu_of("Bread").get_by_role("menuitem", name="Export…").click()
    with page.context.expect_page() as opened:
        page.get_by_role("menuitem", name="Print or PDF").click()
    expect(opened.value.get_by_role("heading", level=1)).to_have_text("Bread")
    expect(opened.value.locator(".message.assistant strong")).to_have_text("kitchen")
    expect(opened.value.get_by_role("heading", name="Imported from ChatGPT")).to_be_visible()

    chat.ask("echo:and now?").wait_for_end()  # what came in goes on like any other conversation
    expect(chat.answer).to_have_text("and now?")
    expect(page.locator(".message.assistant .origin:visible")).to_have_count(1)


def test_personas_and_prompts_move_with_their_owner(windows: Windows, person: Person, tmp_path: Path) -> None:
    export = tmp_path / "voice.json"
    personas = [{"name": "Pirate", "prompt": "Talk like a pirate."}, {"name": "Mute", "prompt": ""}]
    record = {"format": "grokweb.voice", "version": 1, "personas": personas}
    own = files.own(files.said(text="Ahoy?"), persona={**personas[0], "own": True})
    export.write_text(json.dumps([record, own]))
    page = windows.page(person, "/settings/")
    section = page.get_by_role("region", name="Your data")
    section.get_by_label("File").set_input_files(export)
    section.get_by_role("button", name="Import").click()
    words = "1 conversation was imported, 1 message. 1 folder, prompt, persona or setting was imported."
    expect(section.get_by_role("heading", name=words)).to_be_focused()
    report = section.locator("[data-report]")
    expect(report).to_contain_text("Persona “Mute”It has no name or no text.")
    expect(report.get_by_text("Persona “Mute”")).to_be_visible()
    report.get_by_role("link", name="Persona “Pirate”").click()
    expect(page.get_by_role("link", name="Pirate")).to_be_visible()
    page.goto("/settings/")
    with page.expect_download() as saved:
        page.get_by_role("link", name="Export everything").click()
    with zipfile.ZipFile(saved.value.path()) as archive:
        assert json.loads(archive.read("personas.json"))["personas"] == personas[:1]


def test_everything_is_exported_in_one_file_on_a_phone(windows: Windows, person: Person) -> None:
    page = windows.page(person, "/settings/", size=(320, 700), language="fr-FR", touch=True)
    section = page.get_by_role("region", name="Vos données")
    expect(section.get_by_role("button", name="Importer")).to_be_visible()
    assert page.evaluate("innerWidth") == 320  # a phone makes room for what is too wide
    with page.expect_download() as saved:
        section.get_by_role("link", name="Tout exporter").click()
    assert saved.value.suggested_filename.endswith(".zip")
    assert Path(saved.value.path()).read_bytes()[:2] == b"PK"
