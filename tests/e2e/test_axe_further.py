"""axe-core finds no accessibility fault in states seldom seen: confirmations, files, search, menus."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import pytest
from allauth.mfa.totp.internal import auth as totp
from playwright.sync_api import Page, expect

from tests.chat.transfer import files
from tests.e2e import axe
from tests.e2e.browsing import Windows, Witness
from tests.e2e.chat import Chat
from tests.e2e.links import close_dialog, share
from tests.e2e.people import PASSWORD, Person
from tests.e2e.second_model import NO_SLEEPER, SLEEPER, in_service
from tests.e2e.staff_pages import open_first, report, search
from tests.grokweb.service import ROOT, Service

# Two lists beside each other, and rows of something else below a form: as Django's admin makes them.
DJANGOS = (".selector", ".inline-group")

BROKEN = "from django.template import loader; print(loader.get_template('500.html').render())"


def code_of(secret: str) -> str:
    """Returns the code that an authenticator app would show now."""
    counter = int(time.time()) // 30
    return totp.format_hotp_value(totp.hotp_value(secret, counter))


class Look:
    """Looks at one state of a page after the other and tells of all of them at the end."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}

    def at(self, page: Page, what: str, excluded: Sequence[str] = ()) -> None:
        if troubles := axe.findings(page, excluded):
            self.found[what] = troubles


@pytest.fixture
def look() -> Iterator[Look]:
    looking = Look()
    yield looking
    told = [f"{what}:\n" + "\n".join(troubles) for what, troubles in looking.found.items()]
    assert not told, "\n\n".join(told)


@pytest.fixture
def sleeper(service: Service) -> Iterator[None]:
    """Adds a second model, which no worker runs."""
    in_service(service, SLEEPER)
    yield
    in_service(service, NO_SLEEPER)


def test_confirmation_pages_have_no_accessibility_faults(
    windows: Windows, person: Person, look: Look
) -> None:
    windows.witness.allow(r"400 \(Bad Request\)")
    chat = Chat(windows.page(person))
    chat.ask("hello").wait_for_end()
    page = chat.page
    for path in ("/settings/delete-conversations/", "/settings/delete-account/"):
        page.goto(path)
        look.at(page, path)
    page.locator("main [type=password]").fill("not the password")
    page.locator("main .danger").click()
    expect(page.locator("main .errorlist, main [role=alert]").first).to_be_visible()
    look.at(page, "a password that is not the one")
    page.goto("/accounts/2fa/totp/activate/")
    look.at(page, "asked for the password again")
    page.locator("main [type=password]").fill(PASSWORD)
    page.locator("main form [type=submit], main form button").last.click()
    expect(page.locator("main [name=code]")).to_be_visible()
    look.at(page, "a second step at login")
    secret = page.locator("#authenticator_secret").input_value()
    page.locator("main [name=code]").fill(code_of(secret))
    page.locator("main form button").last.click()
    page.wait_for_url("**/recovery-codes/**")
    look.at(page, "codes for a lost telephone")
    page.goto("/accounts/2fa/")
    look.at(page, "two steps, switched on")
    page.goto("/accounts/2fa/totp/deactivate/")
    look.at(page, "switching the second step off")


def test_message_pages_have_no_accessibility_faults(service: Service, windows: Windows, look: Look) -> None:
    windows.witness.allow("500")
    page = windows.window(None).new_page()
    for path in ("/accounts/confirm-email/", "/accounts/inactive/", "/accounts/password/reset/key/done/"):
        page.goto(path)
        look.at(page, path)
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", BROKEN]
    html = subprocess.run(command, cwd=ROOT, env=service.environment, capture_output=True, check=True).stdout
    page.route("**/broken/", lambda route: route.fulfill(status=500, content_type="text/html", body=html))
    page.goto("/broken/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    look.at(page, "the page of a failure")


def test_import_and_print_pages_have_no_accessibility_faults(
    windows: Windows, person: Person, look: Look, tmp_path: Path
) -> None:
    export = tmp_path / "conversations.json"
    export.write_text(json.dumps([files.chatgpt(), {"title": "Odd", "mapping": {"a": {"parent": "a"}}}]))
    page = windows.page(person, "/settings/")
    section = page.locator("[data-transfer]")
    section.locator("input[type=file]").set_input_files(export)
    section.get_by_role("button", name="Import").click()
    expect(section.locator("[data-report]")).to_be_visible()
    for each in page.locator("main details").all():
        each.evaluate("(details) => { details.open = true }")
    look.at(page, "the settings, all unfolded, with a report")
    section.get_by_role("link", name="Bread").click()
    page.wait_for_url("**/c/**")
    page.goto(f"{page.url}print/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Bread")
    look.at(page, "the print view")


def test_model_details_and_feedback_have_no_accessibility_faults(
    sleeper: None, windows: Windows, person: Person, look: Look
) -> None:
    chat = Chat(windows.page(person))
    page = chat.page
    page.locator("[data-model]").click()
    expect(page.get_by_role("menuitemradio").last).to_be_visible()
    look.at(page, "the list of models")
    page.keyboard.press("Escape")
    chat.ask("slow:5:20").wait_for_whole(5)
    chat.more("Details")
    expect(page.get_by_role("dialog").locator(".facts > div").first).to_be_visible()
    look.at(page, "the details of an answer")
    page.keyboard.press("Escape")
    chat.answers.last.get_by_role("button", name="Poor answer").click()
    chat.notice.get_by_role("button", name="Say why").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    look.at(page, "feedback")


def test_files_have_no_accessibility_faults(
    windows: Windows, person: Person, look: Look, tmp_path: Path
) -> None:
    windows.witness.allow(r"400 \(Bad Request\)")
    notes, photo = tmp_path / "notes.txt", tmp_path / "photo.txt"
    notes.write_text("Buy milk and eggs.")
    photo.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30))
    chat = Chat(windows.page(person))
    page = chat.page
    page.locator("[data-composer] input[data-choose]").set_input_files([notes, photo])
    expect(page.locator(".files .chip").last).to_contain_text("This image is broken")
    expect(page.locator("[data-gauge]")).to_be_visible()
    look.at(page, "files to send, one of them refused")
    chat.ask("What is in them?")
    chat.expect_notice("cannot be sent")
    look.at(page, "a notice")
    page.get_by_role("button", name="Remove “photo.txt”").click()
    chat.ask("What is in them?").wait_for_end()
    look.at(page, "a question with a file")
    page.get_by_role("list", name="Files", exact=True).get_by_role("button", name="notes.txt").click()
    expect(page.get_by_role("dialog", name="notes.txt")).to_be_visible()
    look.at(page, "what was read in a file")


def test_the_palette_and_the_folders_have_no_accessibility_faults(
    windows: Windows, person: Person, look: Look
) -> None:
    chat = Chat(windows.page(person))
    page = chat.page
    for question in ("echo:crème brûlée", "salad"):
        chat.new().ask(question).wait_for_end()
    page.keyboard.press("Control+k")
    page.keyboard.type("creme")
    expect(page.get_by_role("option").first).to_be_visible()
    look.at(page, "what was found")
    page.keyboard.type(" nowhere at all")
    expect(page.get_by_role("dialog")).to_contain_text("Nothing found.")
    look.at(page, "nothing was found")
    page.keyboard.press("Escape")
    chat.menu_of("salad").get_by_role("menuitem", name="Move to a folder").click()
    look.at(page, "the list of folders")
    page.get_by_role("menuitem", name="New folder…").click()
    page.get_by_role("textbox", name="Name").fill("Recipes")
    look.at(page, "a new folder")
    page.keyboard.press("Enter")
    expect(chat.sidebar.get_by_role("list", name="Recipes")).to_contain_text("salad")
    look.at(page, "a folder in the sidebar")
    chat.menu_of("salad").get_by_role("menuitem", name="Rename").click()
    look.at(page, "renaming")
    page.keyboard.press("Escape")
    chat.menu_of("salad").get_by_role("menuitem", name="Select several").click()
    expect(chat.sidebar.get_by_role("status")).to_have_text("1 selected")
    look.at(page, "choosing several")


def test_versions_queue_and_lost_network_have_no_accessibility_faults(
    windows: Windows, person: Person, look: Look
) -> None:
    windows.witness.allow("WebSocket", "ERR_INTERNET_DISCONNECTED")
    chat = Chat(windows.page(person))
    page = chat.page
    chat.ask("one way").wait_for_end()
    page.locator(".message.user").hover()
    page.locator(".message.user").get_by_role("button", name="Edit").click()
    page.locator("form.edit textarea").fill("another way")
    page.locator("form.edit textarea").press("Enter")
    chat.wait_for_end()
    expect(page.locator("[data-version=left]").first).to_be_visible()
    look.at(page, "two versions")
    chat.ask("slow:500:50").wait_for_words(2)
    chat.ask("and then?")
    expect(chat.box).to_have_value("")
    look.at(page, "the next message waits")
    page.context.set_offline(True)
    expect(chat.notice).not_to_be_empty()
    look.at(page, "no network")
    page.context.set_offline(False)
    page.keyboard.press("Escape")


def test_staff_pages_have_no_accessibility_faults(
    windows: Windows, person: Person, admin: Person, look: Look
) -> None:
    windows.witness.allow(r"403 \(Forbidden\)", "WebSocket connection to")
    chat = Chat(windows.page(person))
    chat.ask("echo:words to look at").wait_for_end()
    report(chat, "Please look at it.")
    share(chat)
    close_dialog(chat.page)
    admin_page = windows.page(admin, "/admin/")
    for section in ("Users", "Conversations", "Shared links", "Reports"):
        search(admin_page, section, person.email)
        look.at(admin_page, f"{section}, a list")
        open_first(admin_page)
        expect(admin_page.locator("#content h1")).to_be_visible()
        look.at(admin_page, f"{section}, one of them", DJANGOS)
    search(admin_page, "Users", person.email)
    open_first(admin_page)
    admin_page.get_by_role("link", name="Suspend…").click()
    look.at(admin_page, "suspending")
    admin_page.get_by_label("Reason").fill("Spam.")
    admin_page.get_by_role("button", name="Suspend").click()
    expect(admin_page.locator(".messagelist")).to_contain_text("is suspended.")
    chat.page.goto("/")
    expect(chat.page.get_by_role("heading")).to_have_text("Your account is suspended")
    look.at(chat.page, "suspended")


def test_chosen_colours_have_no_accessibility_faults(
    open_chat: Callable[..., Chat], person: Person, witness: Witness, look: Look
) -> None:
    """The account chooses dark while the system is light, so that the page's own switch decides."""
    witness.allow(r"404 \(Not Found\)")
    chat = open_chat(person)
    with chat.page.expect_response("**/api/profile/"):
        chat.open_account_menu().get_by_role("radio", name="Dark").check()
    look.at(chat.page, "the chat")
    for path in ("/settings/", "/accounts/password/change/", "/nowhere/"):
        chat.page.goto(path)
        look.at(chat.page, path)


def test_a_temporary_chat_has_no_accessibility_faults(windows: Windows, person: Person, look: Look) -> None:
    chat = Chat(windows.page(person))
    look.at(chat.page, "the switch, off")
    chat.page.get_by_role("switch", name="Temporary").click()
    look.at(chat.page, "the switch, on")
    chat.ask("hello").wait_for_end()
    expect(chat.page.get_by_role("button", name="Keep")).to_be_visible()
    look.at(chat.page, "begun")


def test_pages_about_answers_have_no_accessibility_faults(
    windows: Windows, person: Person, look: Look
) -> None:
    page = Chat(windows.page(person)).page
    opens: dict[str, Literal["menu", "dialog"]] = {
        "persona": "menu",
        "sampling": "dialog",
        "prompts": "menu",
    }
    for name, role in opens.items():
        page.locator(f".settings-bar [data-{name}]").click()
        opened = page.get_by_role(role)
        expect(opened).to_be_visible()
        look.at(page, f"{name}, opened")
        page.keyboard.press("Escape")
        expect(opened).to_be_hidden()
    for path in ("/settings/answers/", "/settings/answers/personas/new/", "/settings/answers/prompts/new/"):
        page.goto(path)
        look.at(page, path)
