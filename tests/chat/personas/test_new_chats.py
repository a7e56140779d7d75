"""A person's new chats begin with the model and the persona that they chose in the settings."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from chat.conversations.models import Conversation
from chat.core.models import StaffAction
from chat.model_cards.models import ModelCard, PreferredModel
from chat.personas.models import Persona, PreferredPersona
from chat.turns import submission
from chat.turns.new_conversation import NewConversation
from chat.turns.question import Question
from chat.turns.starting import send

pytestmark = pytest.mark.django_db

PAGE = "/settings/answers/"
SAVE = f"{PAGE}new-chats/"


@pytest.fixture(autouse=True)
def _nothing_is_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "submit", lambda request: None)


@pytest.fixture
def other(cast: Any) -> ModelCard:
    return ModelCard.objects.create(slug="other", name="Other")


def save(cast: Any, who: str = "alice", **chosen: object) -> Any:
    return cast.client(who).post(SAVE, chosen)


def page_of(cast: Any, who: str = "alice") -> Any:
    return cast.client(who).get("/").context["page"]


def ask(cast: Any, **start: Any) -> Conversation:
    turn = send(
        user=cast.alice,
        conversation_id=None,
        parent_id=None,
        question=Question("What is it?"),
        client_id=uuid.uuid4().hex,
        start=NewConversation.parse(start or None),
    )
    return turn.conversation


def persona_of(conversation: Conversation) -> str | None:
    stored = getattr(conversation, "conversation_settings", None)
    return stored.persona.name if stored and stored.persona else None


def fun() -> Persona:
    return Persona.objects.get(name="Fun")


def test_a_new_chat_has_what_its_owner_chose(cast: Any, other: ModelCard) -> None:
    assert save(cast, model="other", persona=fun().pk).status_code == 302
    page = page_of(cast)
    assert (page["model"]["slug"], page["personas"]["preferred"]["name"]) == ("other", "Fun")
    made = ask(cast)
    assert (made.model_id, persona_of(made)) == ("other", "Fun")
    assert page_of(cast, "bob")["model"]["slug"] == "scripted"
    assert page_of(cast, "bob")["personas"]["preferred"] is None


def test_the_choice_goes_before_that_of_the_staff(cast: Any, other: ModelCard) -> None:
    ModelCard.objects.filter(slug="scripted").update(is_default=True)
    save(cast, model="other")
    assert ask(cast).model_id == "other"


def test_a_chat_can_begin_with_another_persona_or_none(cast: Any) -> None:
    save(cast, persona=fun().pk)
    assert persona_of(ask(cast, persona=None)) is None


def test_an_empty_choice_is_that_of_the_site(cast: Any, other: ModelCard) -> None:
    save(cast, model="other", persona=fun().pk)
    save(cast, model="", persona="")
    made = ask(cast)
    assert (made.model_id, persona_of(made)) == ("scripted", None)


@pytest.mark.parametrize("chosen", [{"model": "no-such"}, {"persona": "7"}, {"model": "hidden"}])
def test_a_forbidden_choice_is_refused_and_nothing_changes(cast: Any, chosen: dict[str, str]) -> None:
    ModelCard.objects.create(slug="hidden", name="Hidden", is_hidden=True)
    save(cast, model="scripted", persona=fun().pk)
    assert save(cast, **chosen).status_code == 400
    assert PreferredModel.objects.get(user=cast.alice).model_id == "scripted"
    assert PreferredPersona.objects.get(user=cast.alice).persona == fun()


def test_the_persona_of_another_person_cannot_be_chosen(cast: Any) -> None:
    bobs = Persona.objects.create(owner=cast.bob, name="Bob's", prompt="private")
    assert save(cast, persona=bobs.pk).status_code == 400


def test_a_model_that_was_retired_is_followed_by_its_successor(cast: Any, other: ModelCard) -> None:
    save(cast, model="other")
    following = ModelCard.objects.create(slug="newer", name="Newer")
    ModelCard.objects.filter(slug="other").update(is_retired=True, successor=following)
    assert ask(cast).model_id == "newer"


def test_a_model_that_was_hidden_is_left_for_that_of_the_site_until_it_is_back(
    cast: Any, other: ModelCard
) -> None:
    save(cast, model="other")
    ModelCard.objects.filter(slug="other").update(is_hidden=True)
    assert page_of(cast)["model"]["slug"] == "scripted"
    assert b"The one chosen before, not offered now" in cast.client("alice").get(PAGE).content
    assert save(cast, model="other", persona=fun().pk).status_code == 302  # the persona alone was changed
    ModelCard.objects.filter(slug="other").update(is_hidden=False)
    assert page_of(cast)["model"]["slug"] == "other"


def test_a_deleted_persona_is_chosen_no_more(cast: Any) -> None:
    own = Persona.objects.create(owner=cast.alice, name="Pirate", prompt="Ahoy")
    save(cast, persona=own.pk)
    cast.client("alice").post(f"{PAGE}personas/{own.pk}/delete/")
    assert persona_of(ask(cast)) is None


def test_only_a_person_who_is_logged_in_can_choose(cast: Any) -> None:
    assert save(cast, "anonymous", model="scripted").status_code == 302
    assert not PreferredModel.objects.exists()


# --- A model's default persona ----------------------------------------------------------------------------


def set_default(cast: Any, persona: Persona, *slugs: str, **fields: object) -> str:
    values = {"name": persona.name, "language": persona.language, "prompt": persona.prompt}
    answer = cast.client("staff").post(
        f"/admin/personas/persona/{persona.pk}/change/",
        {**values, "default_of": slugs, **fields},
        follow=True,
    )
    return str(answer.content.decode())


def test_a_new_chat_begins_with_the_default_persona_of_its_model(cast: Any, other: ModelCard) -> None:
    set_default(cast, fun(), "other")
    offers = page_of(cast)["personas"]
    assert {slug: each["name"] for slug, each in offers["of_models"].items()} == {"other": "Fun"}
    assert persona_of(ask(cast)) is None
    assert persona_of(ask(cast, model="other")) == "Fun"
    told = StaffAction.objects.get(verb="change", target=f"persona:{fun().pk}").detail
    assert told["default_of"] == ["other"]


def test_the_persons_choice_comes_before_the_default_of_a_model(cast: Any, other: ModelCard) -> None:
    set_default(cast, fun(), "other")
    assert persona_of(ask(cast, model="other", persona=None)) is None
    own = Persona.objects.create(owner=cast.alice, name="Mine", prompt="Be kind.")
    save(cast, model="other", persona=own.pk)
    assert persona_of(ask(cast)) == "Mine"


def test_a_model_has_one_default_persona_in_each_language(cast: Any, other: ModelCard) -> None:
    set_default(cast, fun(), "other")
    second = Persona.objects.create(name="Stern", prompt="Be stern.", language=fun().language)
    page = set_default(cast, second, "other")
    assert "Other has the default persona “Fun” in this language." in page
    french = Persona.objects.create(name="Drôle", prompt="Sois drôle.", language="fr")
    set_default(cast, french, "other")
    shown = {}
    for language in ("en", "fr"):
        page_in = cast.client("alice").get("/", headers={"Accept-Language": language}).context["page"]
        shown[language] = page_in["personas"]["of_models"]["other"]["name"]
    assert shown == {"en": "Fun", "fr": "Drôle"}
