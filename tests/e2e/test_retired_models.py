"""Staff retire and hide models in the admin; people see it in their chats and in the menu."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browsing import Windows
from tests.e2e.chat import Chat
from tests.e2e.people import Person
from tests.e2e.second_model import in_service
from tests.grokweb.service import Service

SCRIPTED = "Scripted test engine"
ELDER = """
from chat.model_cards.models import ModelCard
ModelCard.objects.create(slug="elder", name="Elder", about="Was here first.", context_tokens=2048)
"""
NO_ELDER = """
from chat.conversations.models import Conversation
from chat.model_cards.models import ModelCard
Conversation.objects.filter(model="elder").update(model="scripted")
ModelCard.objects.filter(slug="elder").delete()
"""
TALK = """
from chat.accounts.models import User
from chat.conversations.models import Conversation
from tests.chat.conversations.building import talk
talk(User.objects.get(email={email!r}), "Before?", "Yes.", title={title!r})
Conversation.objects.filter(title={title!r}).update(model="elder")
"""


@pytest.fixture
def elder(service: Service) -> Iterator[None]:
    """Adds a second model, which no worker runs."""
    in_service(service, ELDER)
    yield
    in_service(service, NO_ELDER)


@pytest.fixture
def elders_page(windows: Windows, admin: Person, elder: None) -> Page:
    return windows.page(admin, "/admin/model_cards/modelcard/elder/change/")


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("changed successfully")


def menu(chat: Chat) -> list[str]:
    chat.page.locator("[data-model]").click()
    expect(chat.page.get_by_role("menuitemradio").first).to_be_visible()
    names = chat.page.get_by_role("menuitemradio").locator(".what").all_inner_texts()
    chat.page.keyboard.press("Escape")
    return names


def test_the_chat_of_a_retired_model_says_which_can_continue_and_the_person_decides(
    elders_page: Page, service: Service, person: Person, open_chat: Callable[..., Chat]
) -> None:
    in_service(service, TALK.format(email=person.email, title="With Elder"))
    chat = open_chat(person)
    chat.page.get_by_role("link", name="With Elder").click()
    picker = chat.page.locator("[data-model]")
    expect(picker).to_contain_text("Elder")
    elders_page.get_by_label("Retired").check()
    elders_page.get_by_label("Successor").select_option(label=SCRIPTED)
    save(elders_page)

    chat.ask("echo:too late")  # the page was open before
    expect(chat.notice).to_contain_text(f"Elder is retired. {SCRIPTED} can continue this chat.")
    expect(chat.box).to_have_value("echo:too late")
    chat.page.reload()
    expect(chat.notice).to_contain_text("Elder is retired: it answers no more questions.")
    assert menu(chat) == ["Elder", SCRIPTED]  # the chat's own stays in its menu, to be seen
    chat.page.get_by_role("button", name=f"Continue with {SCRIPTED}").click()
    expect(picker).to_contain_text(SCRIPTED)
    expect(chat.notice).not_to_contain_text("retired")
    chat.ask("echo:it goes on").wait_for_end()
    expect(chat.answer).to_have_text("it goes on")
    chat.page.reload()
    expect(picker).to_contain_text(SCRIPTED)


def test_a_hidden_model_is_in_the_menu_of_staff_alone(
    elders_page: Page, admin: Person, person: Person, open_chat: Callable[..., Chat]
) -> None:
    chat = open_chat(person)
    assert menu(chat) == [SCRIPTED, "Elder"]
    elders_page.get_by_label("Hidden").check()
    save(elders_page)
    assert menu(chat) == [SCRIPTED]
    staff = open_chat(admin)
    staff.page.locator("[data-model]").click()
    expect(staff.page.get_by_role("menuitemradio", name="Elder")).to_contain_text("hidden from people")


def test_the_engine_page_says_which_model_new_chats_use_and_why(elders_page: Page) -> None:
    elders_page.goto("/admin/engine/")
    line = elders_page.locator("[data-new-chats]")
    expect(line).to_contain_text(f"New chats use: {SCRIPTED}. It is the configured model")
    line.get_by_role("link", name="Change the models").click()
    elders_page.get_by_role("link", name="Elder").click()
    elders_page.get_by_label("Default").check()
    save(elders_page)
    elders_page.goto("/admin/engine/")
    expect(line).to_contain_text("New chats use: Elder. Staff chose it as the default.")
