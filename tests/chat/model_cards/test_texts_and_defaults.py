"""Staff's names, descriptions, defaults and context limit of a model: where they are shown and used."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from chat.core.models import StaffAction
from chat.model_cards.models import ModelCard
from chat.turns.reconcile import sync_models
from inference.wire import queue
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk

pytestmark = [pytest.mark.django_db(transaction=True)]
PAGE = "/admin/model_cards/modelcard/scripted/change/"
TEXTS = {"fr": {"name": "Robot", "about": "Répond aux tests."}, "en": {"name": "The model"}}


def model_of(cast: Cast, language: str) -> dict[str, Any]:
    answer = cast.client("alice").get("/api/models/", headers={"Accept-Language": language})
    return dict(answer.json()["models"][0])


def change(cast: Cast, **fields: Any) -> str:
    values = {"successor": "", "price": "1", "is_default": "on", **fields}
    answer = cast.client("staff").post(PAGE, values, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_staffs_words_are_shown_in_the_readers_language(cast: Cast, model_card: ModelCard) -> None:
    change(cast, name_fr=" Robot ", about_fr="Répond aux tests.", name_en="The model")
    model_card.refresh_from_db()
    assert model_card.texts == TEXTS
    shown = {language: model_of(cast, language) for language in ("en", "fr")}
    assert (shown["fr"]["name"], shown["fr"]["about"]) == ("Robot", "Répond aux tests.")
    assert (shown["en"]["name"], shown["en"]["about"]) == ("The model", "Répond aux tests.")
    chat = talk(cast.alice, "Hello", "Hi")
    for language, name in (("en", "The model"), ("fr", "Robot")):
        for path in (f"/c/{chat.pk}/", f"/c/{chat.pk}/print/", f"/api/conversations/{chat.pk}/export/"):
            page = cast.client("alice").get(path, headers={"Accept-Language": language})
            whole = page.getvalue() if page.streaming else page.content
            assert name in whole.decode(), path


def test_an_announcement_and_an_upgrade_change_no_words_of_staff(
    cast: Cast, model_card: ModelCard, redis_client: redis.Redis, migrate: Any
) -> None:
    change(cast, name_en="The model", context_limit="512", default_temperature="0.3")
    licence = {"name": "Acme 1", "link": "https://acme.example/licence"}
    queue.announce_model(
        redis_client, "scripted", name="Announced", about="New.", context=2048, licence=json.dumps(licence)
    )
    sync_models()
    model = model_of(cast, "en")
    assert (model["name"], model["about"], model["context_tokens"]) == ("The model", "New.", 512)
    assert model["sampling"] == {"temperature": 0.3}
    page = cast.client("staff").get(PAGE).content.decode()
    assert '<a href="https://acme.example/licence" rel="noreferrer">Acme 1</a>' in page
    migrate("model_cards", "0004_preferredmodel")
    migrate("model_cards", "newest")
    model_card.refresh_from_db()
    assert (model_card.shown_name, model_card.context) == ("Announced", 2048)


def test_texts_of_a_language_that_is_not_offered_now_are_kept(cast: Cast, model_card: ModelCard) -> None:
    model_card.texts = {"xx": {"name": "Elsewhere"}}
    model_card.save()
    assert model_of(cast, "en")["name"] == "Scripted"
    change(cast, name_fr="Robot")
    model_card.refresh_from_db()
    assert model_card.texts == {"xx": {"name": "Elsewhere"}, "fr": {"name": "Robot"}}


@pytest.mark.parametrize("link", ["javascript:alert(1)", "LICENSE", ""])
def test_a_licence_is_linked_only_to_an_address_of_the_web(
    cast: Cast, redis_client: redis.Redis, link: str
) -> None:
    licence = json.dumps({"name": "<Acme>", "link": link})
    queue.announce_model(redis_client, "scripted", name="A", context=1024, licence=licence)
    sync_models()
    page = cast.client("staff").get(PAGE).content.decode()
    assert "&lt;Acme&gt;" in page
    assert 'rel="noreferrer"' not in page


def test_the_audit_log_says_what_was_set(cast: Cast) -> None:
    change(cast, name_en="The model", default_max_tokens="40")
    detail = StaffAction.objects.get(verb="change", target="modelcard:scripted").detail
    assert detail["texts"] == {"en": {"name": "The model"}}
    assert detail["defaults"] == {"max_tokens": 40}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"context_limit": "2048"}, "This model reads 1,024 tokens: the limit can only be lower."),
        ({"context_limit": "255"}, "greater than or equal to 256"),
        ({"default_max_tokens": "513"}, "An answer of this model has at most 512 tokens."),
        ({"context_limit": "300", "default_max_tokens": "151"}, "has at most 150 tokens"),
        ({"default_temperature": "2.5"}, "less than or equal to 2"),
        ({"default_effort": "medium"}, "Select a valid choice"),
        ({"default_effort": "high", "name_en": "x" * 121}, "at most 120 characters"),
    ],
)
def test_defaults_that_the_model_does_not_announce_are_refused(
    cast: Cast, model_card: ModelCard, fields: dict[str, str], words: str
) -> None:
    model_card.capabilities = {"efforts": ["low", "high"]}
    model_card.save()
    assert words in change(cast, **fields)
    model_card.refresh_from_db()
    assert (model_card.texts, model_card.defaults, model_card.context_limit) == ({}, {}, None)
