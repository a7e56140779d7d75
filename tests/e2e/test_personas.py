"""Models, personas, sampling settings and saved prompts on the chat page, and the details of an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.chat import Chat
from tests.e2e.people import Person
from tests.e2e.second_model import LAST_SEEN, NO_SLEEPER, SLEEPER, in_service
from tests.grokweb.service import Service


@pytest.fixture
def sleeper(service: Service) -> Iterator[None]:
    """Adds a second model, which no worker runs."""
    in_service(service, SLEEPER)
    yield
    in_service(service, NO_SLEEPER)


def picker(chat: Chat) -> Locator:
    return chat.page.locator("[data-model]")


def test_the_picker_says_what_each_model_is_and_which_is_down(sleeper: None, chat: Chat) -> None:
    expect(picker(chat)).to_contain_text("Scripted test engine")
    picker(chat).click()
    entries = chat.page.get_by_role("menuitemradio")
    here, asleep = entries.first, entries.last
    expect(here).to_have_attribute("aria-checked", "true")
    expect(here).to_be_focused()
    expect(here).to_contain_text("Reads up to 8,192 tokens")
    expect(here).to_contain_text("answers now")
    expect(asleep).to_contain_text("Is never awake.")
    expect(asleep).to_contain_text(f"no worker; last seen {LAST_SEEN:%b} {LAST_SEEN.day}, {LAST_SEEN.year}")
    asleep.click(force=True)  # explained, and not to be chosen
    expect(asleep).to_be_visible()
    chat.page.keyboard.press("Escape")
    expect(picker(chat)).to_contain_text("Scripted test engine")
    chat.page.set_viewport_size({"width": 360, "height": 740})
    picker(chat).focus()
    chat.page.keyboard.press("Enter")
    expect(here).to_be_focused()  # the menu asks the server first
    chat.page.keyboard.press("ArrowDown")
    expect(asleep).to_be_focused()
    chat.page.keyboard.press("Enter")
    menu = chat.page.get_by_role("menu")
    expect(menu).to_be_visible()
    assert menu.evaluate("(menu) => menu.scrollWidth <= menu.clientWidth && menu.clientWidth <= innerWidth")
    chat.page.keyboard.press("Escape")
    expect(menu).to_have_count(0)


def test_another_model_can_continue_a_conversation(
    sleeper: None, service: Service, person: Person, open_chat: Callable[..., Chat]
) -> None:
    in_service(
        service,
        f"""
from chat.accounts.models import User
from tests.chat.conversations.building import talk
from chat.conversations.models import Conversation
talk(User.objects.get(email={person.email!r}), "Before?", "Yes.", title="Taken over")
Conversation.objects.filter(title="Taken over").update(model="sleeper")
""",
    )
    chat = open_chat(person)
    chat.page.get_by_role("link", name="Taken over").click()
    expect(picker(chat)).to_contain_text("Sleeper")
    picker(chat).click()
    chat.page.get_by_role("menuitemradio", name="Scripted test engine").click()
    expect(picker(chat)).to_contain_text("Scripted test engine")
    chat.ask("echo:it answers").wait_for_end()
    expect(chat.answer).to_have_text("it answers")
    chat.page.reload()
    expect(picker(chat)).to_contain_text("Scripted test engine")


def test_empty_settings_show_the_defaults_of_the_model_and_saving_keeps_what_it_does_not_offer(
    sleeper: None, service: Service, person: Person, open_chat: Callable[..., Chat]
) -> None:
    in_service(
        service,
        f"""
from chat.accounts.models import User
from tests.chat.conversations.building import talk
from chat.conversations.models import Conversation
from chat.personas.models import ConversationSettings
talk(User.objects.get(email={person.email!r}), "Before?", "Yes.", title="Sampled")
Conversation.objects.filter(title="Sampled").update(model="sleeper")
sampled = Conversation.objects.get(title="Sampled")
ConversationSettings.objects.create(conversation=sampled, settings={{"effort": "high"}})
""",
    )
    chat = open_chat(person)
    chat.page.get_by_role("link", name="Sampled").click()
    expect(picker(chat)).to_contain_text("Sleeper")
    chat.page.locator("[data-sampling]").click()
    dialog = chat.page.get_by_role("dialog")
    shown = {"Temperature": "0.6", "Top-k": "20", "Top-p": "0.95", "Longest answer, in tokens": "4,096"}
    for label, usual in shown.items():
        expect(dialog.get_by_label(label)).to_have_attribute("placeholder", usual)
    expect(dialog.get_by_label("Longest answer, in tokens")).to_have_attribute("max", "8192")
    dialog.get_by_label("Temperature").fill("0.4")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    chat.page.reload()
    chat.page.locator("[data-sampling]").click()
    expect(dialog.get_by_label("Temperature")).to_have_value("0.4")
    expect(dialog.get_by_label("Thinking")).to_have_value("high")
    chat.page.keyboard.press("Escape")
    in_service(
        service,
        """
from chat.conversations.models import Conversation
Conversation.objects.filter(title="Sampled").update(model="scripted")
""",
    )


def pick(chat: Chat, name: str) -> None:
    chat.page.locator("[data-persona]").click()
    chat.page.get_by_role("menuitemradio", name=name).click()


def test_a_persona_of_ones_own_answers_and_another_one_is_asked(chat: Chat) -> None:
    chat.page.goto("/settings/answers/")
    chat.page.get_by_label("What should the model know about you?").fill("I sail.")
    chat.page.locator("#instructions").get_by_role("button", name="Save").click()
    expect(chat.page.get_by_role("status")).to_have_text("Saved.")
    chat.page.get_by_role("link", name="New persona").click()
    chat.page.get_by_label("Name").fill("Pirate")
    chat.page.get_by_label("What the model is told").fill("Talk like a pirate.")
    chat.page.get_by_role("button", name="Save").click()
    expect(chat.page.locator("#personas li", has_text="Pirate")).to_be_visible()
    chat.page.goto("/")
    pick(chat, "Pirate")
    chat.ask("system:").wait_for_end()
    expect(chat.answer).to_contain_text("Talk like a pirate.")
    expect(chat.answer).to_contain_text("I sail.")
    chat.more("Details")
    expect(chat.page.locator(".facts > div", has_text="Persona")).to_contain_text("Pirate")
    chat.page.keyboard.press("Escape")
    chat.more("Ask again as…")
    chat.page.get_by_role("menuitemradio", name="Fun").click()
    expect(chat.answer).to_contain_text("rebellious streak")
    chat.wait_for_end()
    expect(chat.page.locator("[data-persona]")).to_contain_text("Pirate")  # the next answer is hers again
    chat.page.reload()
    expect(chat.page.locator("[data-persona]")).to_contain_text("Pirate")
    pick(chat, "No persona")
    expect(chat.page.locator("[data-persona]")).to_contain_text("No persona")
    chat.ask("system:").wait_for_end()
    expect(chat.answer).not_to_contain_text("pirate")


def save(dialog: Locator) -> None:
    """Saves and waits until the dialog is closed, which a frame with the new settings can overtake."""
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)


def test_settings_of_answers_apply_until_they_are_reset(chat: Chat) -> None:
    button = chat.page.locator("[data-sampling]")
    button.click()
    dialog = chat.page.get_by_role("dialog")
    dialog.get_by_label("Longest answer, in tokens").fill("3")
    dialog.get_by_label("Seed").fill("9223372036854775807")
    save(dialog)
    expect(button).to_have_text("2 settings")
    chat.ask("slow:9:10").wait_for_end()
    expect(chat.answer).to_have_text("w1 w2 w3")
    chat.page.reload()
    expect(button).to_have_text("2 settings")
    button.click()
    expect(dialog.get_by_label("Seed")).to_have_value("9223372036854775807")
    dialog.get_by_role("button", name="Reset").click()
    save(dialog)
    expect(button).to_have_text("Settings")
    chat.ask("slow:9:10").wait_for_whole(9)


def test_a_prompt_with_variables_fills_the_message_box(chat: Chat) -> None:
    chat.page.goto("/settings/answers/prompts/new/")
    chat.page.get_by_label("Name").fill("Translate")
    chat.page.get_by_label("Text").fill("echo:{{text}} in {{ language }}")
    chat.page.get_by_role("button", name="Save").click()
    expect(chat.page.locator("#prompts li", has_text="Translate")).to_be_visible()
    chat.page.goto("/")
    chat.box.press_sequentially("/")
    chat.page.get_by_role("menuitemradio", name="Translate").click()
    dialog = chat.page.get_by_role("dialog", name="Translate")
    dialog.get_by_label("text").fill("good day")
    dialog.get_by_label("language").fill("French")
    dialog.get_by_role("button", name="Insert").click()
    expect(chat.box).to_have_value("echo:good day in French")
    expect(chat.box).to_be_focused()
    chat.box.press("Enter")
    chat.wait_for_end()
    expect(chat.answer).to_have_text("good day in French")
    chat.page.locator("[data-prompts]").click()
    expect(chat.page.get_by_role("menuitemradio", name="Translate")).to_be_focused()
    chat.page.keyboard.type("ed")  # letters lead to what begins with them
    expect(chat.page.get_by_role("menuitem", name="Edit prompts")).to_be_focused()
    chat.page.keyboard.press("Escape")
    expect(chat.page.get_by_role("menu")).to_have_count(0)


def test_the_details_of_an_answer_name_tokens_end_and_seed(chat: Chat) -> None:
    chat.ask("slow:5:20").wait_for_whole(5)
    chat.more("Details")
    dialog = chat.page.get_by_role("dialog")
    facts = dialog.locator(".facts > div")
    expect(facts.filter(has_text="Tokens written")).to_contain_text("5")
    expect(facts.filter(has_text="How it ended")).to_contain_text("The model was done.")
    expect(facts.filter(has_text="Seed")).to_contain_text(re.compile(r"\d{5,}"))
    chat.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_a_new_chat_begins_with_the_chosen_persona_and_can_have_none(chat: Chat) -> None:
    chat.page.goto("/settings/answers/")
    chat.page.get_by_label("Persona", exact=True).select_option(label="Fun")
    chat.page.locator("#new-chats .primary").click()
    expect(chat.page.get_by_text("Saved.")).to_be_visible()
    chat.page.goto("/")
    persona = chat.page.locator("[data-persona]")
    expect(persona).to_contain_text("Fun")
    persona.click()
    chat.page.get_by_role("menuitemradio", name="No persona").click()
    expect(persona).to_contain_text("No persona")
    chat.ask("one").wait_for_end()
    chat.page.reload()
    expect(persona).to_contain_text("No persona")
    chat.page.get_by_role("link", name="New chat").click()
    expect(persona).to_contain_text("Fun")
