"""Prompts that people keep to ask with."""

from __future__ import annotations

from typing import Any

import pytest

from chat.moderation.models import Rule
from chat.personas.models import SavedPrompt

pytestmark = [pytest.mark.django_db(transaction=True)]
PAGE = "/settings/answers/prompts/"
WORDS = {"name": "Translate", "text": "Into {{language}}: {{text}}"}


def kept(cast: Any, who: str = "alice") -> SavedPrompt:
    assert cast.client(who).post(f"{PAGE}new/", WORDS).status_code == 302
    return SavedPrompt.objects.get(owner=getattr(cast, who))


def listed(cast: Any, who: str = "alice") -> Any:
    answer = cast.client(who).get("/api/prompts/")
    return (
        [each["name"] for each in answer.json()["prompts"]]
        if answer.status_code == 200
        else answer.status_code
    )


def test_a_saved_prompt_is_written_changed_and_deleted(cast: Any) -> None:
    prompt = kept(cast)
    assert listed(cast) == ["Translate"]
    cast.client("alice").post(f"{PAGE}{prompt.pk}/", {"name": "Turn", "text": "Turn {{it}}."})
    assert cast.client("alice").get("/api/prompts/").json()["prompts"] == [
        {"id": str(prompt.pk), "name": "Turn", "text": "Turn {{it}}."}
    ]
    cast.client("alice").post(f"{PAGE}{prompt.pk}/delete/")
    assert listed(cast) == []


@pytest.mark.parametrize(("who", "status"), [("bob", 404), ("staff", 404), ("anonymous", 302)])
def test_nobody_else_has_them(cast: Any, who: str, status: int) -> None:
    prompt = kept(cast)
    for path in (f"{PAGE}{prompt.pk}/", f"{PAGE}{prompt.pk}/delete/"):
        assert cast.client(who).post(path, WORDS).status_code == status
    assert listed(cast, who) == (401 if who == "anonymous" else [])
    assert SavedPrompt.objects.filter(pk=prompt.pk).exists()


@pytest.mark.parametrize("words", [{"name": ""}, {"text": ""}, {"text": "x" * 8001}, {"name": "x" * 61}])
def test_prompts_with_empty_or_too_long_fields_are_refused(cast: Any, words: dict[str, str]) -> None:
    assert cast.client("alice").post(f"{PAGE}new/", {**WORDS, **words}).status_code == 400
    assert not SavedPrompt.objects.exists()


def test_two_hundred_are_enough(cast: Any) -> None:
    SavedPrompt.objects.bulk_create(SavedPrompt(owner=cast.alice, name=str(n), text="x") for n in range(200))
    answer = cast.client("alice").post(f"{PAGE}new/", WORDS)
    assert (answer.status_code, "at most 200 prompts" in answer.content.decode()) == (400, True)


def test_blocked_patterns_hold(cast: Any) -> None:
    Rule.objects.create(
        name="r", kind="pattern", options={"pattern": "language"}, applies="prompt", words="Not that."
    )
    answer = cast.client("alice").post(f"{PAGE}new/", WORDS)
    assert (answer.status_code, "Not that." in answer.content.decode()) == (400, True)
