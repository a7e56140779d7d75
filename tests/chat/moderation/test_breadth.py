"""A pattern that would refuse most of what is written is not saved, and staff read the proportion."""

from __future__ import annotations

import time

import pytest

from chat.accounts.models import User
from chat.conversations.models import Conversation, Message, Role
from chat.model_cards.selection import default_model
from chat.moderation.models import Rule
from tests.chat.cast import Cast

ADD = "/admin/moderation/rule/add/"


def form(pattern: str, **fields: str) -> dict[str, str]:
    about = {
        "name": "A rule",
        "kind": "pattern",
        "pattern-pattern": pattern,
        "applies": "prompt",
        "words": "",
    }
    return {**about, "active": "on", **fields}


def write(owner: User, *texts: str, role: str = Role.USER) -> None:
    conversation = Conversation.objects.create(owner=owner, model=default_model())
    Message.objects.bulk_create(
        [Message(conversation=conversation, role=role, text=text) for text in texts], batch_size=500
    )


def answer(cast: Cast, pattern: str, **fields: str) -> str:
    return cast.client("staff").post(ADD, form(pattern, **fields)).content.decode()


def test_a_pattern_that_matches_most_is_refused_with_the_proportion(cast: Cast) -> None:
    write(cast.alice, *["tell me of the sea"] * 30, *["hello"] * 10)
    page = answer(cast, "the|sea")
    assert "30 of the last 40 messages (75 %)" in page
    assert not Rule.objects.exists()


@pytest.mark.parametrize("pattern", ["x", "hello", "tell.*moon"])
def test_one_that_matches_half_or_less_is_saved(cast: Cast, pattern: str) -> None:
    write(cast.alice, *["hello"] * 20, *["tell me of the sea"] * 20)
    answer(cast, pattern)
    assert Rule.objects.get().options == {"pattern": pattern}


def test_only_the_newest_thousand_count(cast: Cast) -> None:
    write(cast.alice, *["the old"] * 600)
    write(cast.bob, *["new"] * 1000)
    answer(cast, "old")
    assert Rule.objects.filter(options={"pattern": "old"}).exists()
    assert "1,000 of the last 1,000 messages (100 %)" in answer(cast, "new")


def test_imported_messages_do_not_count(cast: Cast) -> None:
    write(cast.alice, *["hello"] * 10)
    write(cast.bob, *["imported"] * 90)
    Message.objects.filter(text="imported").update(source="chatgpt")
    assert "10 of the last 10 messages (100 %)" in answer(cast, "hello")
    answer(cast, "imported")
    assert Rule.objects.get().options == {"pattern": "imported"}


def test_it_is_tried_on_what_it_would_look_at(cast: Cast) -> None:
    write(cast.alice, *["hello"] * 10)
    write(cast.alice, *["certainly"] * 10, role=Role.ASSISTANT)
    assert "10 of the last 10" in answer(cast, "certainly", applies="reply")
    assert "10 of the last 10" in answer(cast, "certainly", applies="both")
    assert not Rule.objects.exists()
    answer(cast, "certainly", applies="prompt")
    assert Rule.objects.get().applies == "prompt"


def test_switching_a_broad_rule_on_is_refused_and_renaming_an_old_one_is_not(cast: Cast) -> None:
    write(cast.alice, *["hello"] * 10)
    kept = Rule.objects.create(name="old", options={"pattern": "hello"}, active=False)
    change = f"/admin/moderation/rule/{kept.pk}/change/"
    assert "10 of the last 10" in cast.client("staff").post(change, form("hello")).content.decode()
    Rule.objects.filter(pk=kept.pk).update(active=True)
    assert cast.client("staff").post(change, form("hello", name="Renamed")).status_code == 302
    kept.refresh_from_db()
    assert kept.name == "Renamed"


def test_a_site_without_messages_may_have_any_rule(cast: Cast) -> None:
    write(cast.alice, "buy pills")
    answer(cast, "pills")
    assert Rule.objects.exists()


def test_long_messages_do_not_hold_it_up(cast: Cast) -> None:
    write(cast.alice, *["a" * 400_000 + "!"] * 100)
    began = time.monotonic()
    answer(cast, "(a+)+$")
    assert time.monotonic() - began < 30
