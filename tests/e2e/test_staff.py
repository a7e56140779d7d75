"""Actions of an administrator in /admin/, and their effects for the people concerned."""

from __future__ import annotations

import re
from itertools import count

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browsing import Windows, Witness
from tests.e2e.chat import Chat
from tests.e2e.links import share
from tests.e2e.people import Person
from tests.e2e.staff_pages import open_first, report, search

_numbers = count(1)


@pytest.fixture
def admin_page(windows: Windows, admin: Person) -> Page:
    return windows.page(admin, "/admin/")


def reported(chat: Chat, text: str) -> str:
    """Reports an answer whose text no other test has. Returns the text."""
    unique = f"{text} {next(_numbers)}"
    chat.ask(f"echo:{unique}").wait_for_end()
    report(chat, "Please look at it.")
    return unique


def decide(admin_page: Page, text: str, button: str) -> None:
    search(admin_page, "Reports", text)
    expect(admin_page.locator("#result_list")).to_contain_text(text)
    open_first(admin_page)
    expect(admin_page.locator("#content")).to_contain_text(text)
    admin_page.get_by_label("Note (optional)").fill("Seen.")
    admin_page.get_by_role("button", name=button).click()
    expect(admin_page.locator(".messagelist")).to_contain_text("Decided")


def test_everything_is_found_from_the_first_page(chat: Chat, admin_page: Page, person: Person) -> None:
    text = reported(chat, "a remarkable answer")
    share(chat)
    for section in ("Users", "Conversations", "Generations", "Shared links"):
        search(admin_page, section, person.email)
        expect(admin_page.locator("#result_list tbody tr")).to_have_count(1)
        open_first(admin_page)
        expect(admin_page.locator("#content h1")).to_be_visible()
    search(admin_page, "Reports", person.email)
    expect(admin_page.locator("#result_list")).to_contain_text(text)
    admin_page.goto("/admin/")
    admin_page.locator("#content-main th").get_by_role("link", name="Quota policies", exact=True).click()
    expect(admin_page.get_by_role("link", name=re.compile("Add quota policy", re.IGNORECASE))).to_be_visible()


def test_reading_a_private_conversation_is_on_record(chat: Chat, admin_page: Page, person: Person) -> None:
    chat.ask("echo:dear diary").wait_for_end()
    search(admin_page, "Conversations", person.email)
    open_first(admin_page)
    expect(admin_page.get_by_label("Messages")).to_contain_text("dear diary")
    admin_page.goto("/admin/")
    admin_page.locator("#content-main th").get_by_role("link", name="Staff actions", exact=True).click()
    expect(admin_page.locator("[data-chain]")).to_contain_text("The chain is intact.")
    expect(admin_page.locator("#result_list tbody tr").first).to_contain_text("read conversation")


def test_staff_can_hide_a_message(chat: Chat, admin_page: Page) -> None:
    decide(admin_page, text := reported(chat, "a rude answer"), "Hide the message")
    expect(chat.answers.last).to_contain_text("A moderator removed this message.")
    expect(chat.answers.last).not_to_contain_text(text)


def test_staff_can_dismiss_a_report(chat: Chat, admin_page: Page) -> None:
    decide(admin_page, text := reported(chat, "a harmless answer"), "Dismiss")
    expect(chat.answer).to_have_text(text)
    chat.page.reload()
    expect(chat.answer).to_have_text(text)


def test_staff_can_take_a_share_down(
    chat: Chat, admin_page: Page, windows: Windows, witness: Witness
) -> None:
    witness.allow(r"404 \(Not Found\)")
    text = f"a shared answer {next(_numbers)}"
    chat.ask(f"echo:{text}").wait_for_end()
    reader = windows.page(None, address := share(chat))
    reader.get_by_text("Report this page").click()
    reader.get_by_label("Harmful or hateful").check()
    reader.get_by_role("button", name="Send report").click()
    decide(admin_page, text, "Take the share down")
    reader.goto(address)
    expect(reader.get_by_role("heading")).to_have_text("This link leads nowhere")


def test_a_blocked_pattern_refuses_a_prompt(chat: Chat, admin_page: Page) -> None:
    admin_page.locator("#content-main th").get_by_role("link", name="Blocking rules", exact=True).click()
    admin_page.get_by_role("link", name=re.compile("Add blocking rule", re.IGNORECASE)).click()
    admin_page.get_by_label("Name", exact=False).first.fill("No weasels")
    admin_page.get_by_label("Pattern:").fill(r"weasels?\b")
    admin_page.get_by_label("Words shown").fill("We do not talk about weasels here.")
    admin_page.get_by_role("button", name="Save", exact=True).click()
    expect(admin_page.locator(".messagelist")).to_contain_text("added successfully")
    chat.ask("Tell me about WEASELS")
    chat.expect_notice("We do not talk about weasels here.")
    expect(chat.box).to_have_value("Tell me about WEASELS")
    chat.ask("Tell me about stoats").wait_for_end()
    expect(chat.answer).to_have_text("Tell me about stoats")


def test_the_form_of_a_rule_shows_the_fields_of_the_chosen_kind(admin_page: Page) -> None:
    admin_page.goto("/admin/moderation/rule/add/")
    pattern, unknown = admin_page.get_by_label("Pattern:"), admin_page.get_by_label("Also unknown ones")
    expect(pattern).to_be_visible()
    expect(unknown).to_be_hidden()
    admin_page.get_by_label("Kind:").select_option("secrets")
    expect(pattern).to_be_hidden()
    expect(unknown).to_be_visible()
    admin_page.get_by_label("Name", exact=False).first.fill("No keys")
    unknown.check()
    admin_page.get_by_label("Words shown").fill("Please keep keys to yourself.")
    admin_page.get_by_role("button", name="Save and continue editing").click()
    expect(admin_page.locator(".messagelist")).to_contain_text("added successfully")
    expect(admin_page.get_by_label("Also unknown ones")).to_be_checked()
    expect(admin_page.get_by_label("Pattern:")).to_be_hidden()
    admin_page.get_by_role("link", name="Delete").click()  # it would refuse messages of other tests
    admin_page.get_by_role("button", name="Yes").click()
    expect(admin_page.locator(".messagelist")).to_contain_text("deleted successfully")


def test_a_pattern_that_is_no_pattern_is_explained(admin_page: Page) -> None:
    admin_page.goto("/admin/moderation/rule/add/")
    admin_page.get_by_label("Name", exact=False).first.fill("Broken")
    admin_page.get_by_label("Pattern:").fill("(")
    admin_page.get_by_role("button", name="Save", exact=True).click()
    expect(admin_page.locator(".field-pattern-pattern .errorlist")).to_be_visible()


def test_a_suspended_person_is_out_at_once_and_reads_why(
    chat: Chat, admin_page: Page, windows: Windows, person: Person, witness: Witness
) -> None:
    witness.allow("WebSocket connection to", r"403 \(Forbidden\)")
    chat.ask("slow:500:100").wait_for_words(2)
    search(admin_page, "Users", person.email)
    open_first(admin_page)
    admin_page.get_by_role("link", name="Suspend…").click()
    admin_page.get_by_label("Reason").fill("Spam, again and again.")
    admin_page.get_by_role("button", name="Suspend").click()
    expect(admin_page.locator(".messagelist")).to_contain_text("is suspended.")
    expect(chat.page.get_by_role("heading")).to_have_text("Your account is suspended")
    expect(chat.page.locator("body")).to_contain_text("Reason: Spam, again and again.")
    admin_page.get_by_role("button", name="Lift suspension").click()
    expect(admin_page.locator(".messagelist")).to_contain_text("no longer suspended")
    chat.page.goto("/")
    again = Chat(chat.page)
    again.entry("slow:500:100").get_by_role("link").click()
    expect(again.answers.last).to_contain_text("You stopped this reply.")
    again.ask("I am back").wait_for_end()
    expect(again.answer).to_have_text("I am back")


def test_a_token_quota_that_the_person_runs_into(chat: Chat, admin_page: Page, person: Person) -> None:
    admin_page.locator("#content-main th").get_by_role("link", name="Quota policies", exact=True).click()
    admin_page.get_by_role("link", name=re.compile("Add quota policy", re.IGNORECASE)).click()
    with admin_page.expect_popup() as opened:
        admin_page.locator("#lookup_id_user").click()
    lookup = opened.value
    lookup.locator("#searchbar").fill(person.email)
    lookup.locator("#searchbar").press("Enter")
    lookup.get_by_role("link", name=person.email, exact=True).click()
    expect(admin_page.locator("#id_user")).not_to_have_value("")
    admin_page.get_by_label("Tokens a day").fill("200")
    admin_page.get_by_role("button", name="Save", exact=True).click()
    expect(admin_page.locator(".messagelist")).to_contain_text("added successfully")
    chat.ask("one two three four five six seven eight nine ten " * 8).wait_for_end()
    chat.ask("and more")
    chat.expect_notice(re.compile(r"You have used \d+ of your 200 tokens today\."))
    expect(chat.box).to_have_value("and more")
    expect(chat.open_account_menu()).to_contain_text(re.compile(r"\d+ of 200 tokens today"))


def test_people_without_rights_have_no_admin(windows: Windows, person: Person, witness: Witness) -> None:
    witness.allow(r"403 \(Forbidden\)")
    page = windows.page(person, "/admin/")
    expect(page.get_by_role("heading")).to_have_text("Not allowed")


def test_staff_try_a_model_on_its_page(admin_page: Page) -> None:
    admin_page.goto("/admin/model_cards/modelcard/scripted/change/")
    trial = admin_page.locator("[data-trial]")
    button = trial.get_by_role("button", name="Try it")
    for _time in range(2):  # the first is over, so another may begin
        button.click()
        expect(trial.get_by_role("status")).to_contain_text("First token after ")
        expect(trial.get_by_role("blockquote")).to_contain_text("hello")
        expect(button).to_be_enabled()


def test_the_engine_page_keeps_itself_current(chat: Chat, admin_page: Page) -> None:
    chat.ask("echo:something short").wait_for_end()
    admin_page.get_by_role("link", name="Engine", exact=True).click()
    expect(admin_page.locator("[data-worker]")).to_contain_text("scripted")
    expect(admin_page.locator("[data-engine] table")).to_contain_text("in the last hour")
    before = admin_page.locator("[data-engine] time").get_attribute("datetime")
    admin_page.evaluate("window.untouched = true")
    expect(admin_page.locator("[data-engine] time")).not_to_have_attribute(
        "datetime", before or "", timeout=30_000
    )
    assert admin_page.evaluate("window.untouched")  # without a reload
