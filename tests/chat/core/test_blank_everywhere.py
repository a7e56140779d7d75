"""Tests that invisible text counts as empty wherever people write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat.feedback.models import Feedback
from chat.moderation.models import Report
from chat.personas.models import CustomInstructions, Persona, SavedPrompt
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk

BLANK = [" \u200b\u2800", "\u3164", "\U000e0061\ufe0f", "\u115f\u1160\u00ad", "\u202e\u034f\u00a0"]

pytestmark = pytest.mark.parametrize("blank", BLANK, ids=ascii)


def call(cast: Any, verb: str, address: str, **data: Any) -> Any:
    send = getattr(cast.client("alice"), verb)
    return send(address, json.dumps(data), content_type="application/json")


def test_titles_and_folders_need_a_name(cast: Cast, blank: Any) -> None:
    kept = talk(cast.alice, "Hello")
    answer = call(cast, "patch", f"/api/conversations/{kept.pk}/", title=blank)
    assert (answer.status_code, answer.json()["error"]["words"]) == (400, "Please write a title.")
    answer = call(cast, "post", "/api/folders/", name=blank)
    assert (answer.status_code, answer.json()["error"]["words"]) == (400, "Please write a name.")
    made = call(cast, "post", "/api/folders/", name="Fine").json()["folder"]
    assert call(cast, "patch", f"/api/folders/{made['id']}/", name=blank).status_code == 400


def test_personas_and_prompts_need_name_and_words(cast: Cast, blank: Any) -> None:
    for kind, field in (("personas", "prompt"), ("prompts", "text")):
        for form in ({"name": blank, field: "Words"}, {"name": "Name", field: blank}):
            assert cast.client("alice").post(f"/settings/answers/{kind}/new/", form).status_code == 400
    assert not Persona.objects.filter(owner=cast.alice).exists()
    assert not SavedPrompt.objects.exists()
    form = {"name": "Name", "language": "", "prompt": blank}
    page = cast.client("staff").post("/admin/personas/persona/add/", form)
    assert "Please write what the model should be told." in page.content.decode()


def test_instructions_and_names_are_then_none(cast: Cast, blank: Any) -> None:
    form = {"about": blank, "style": blank, "active": "on"}
    assert cast.client("alice").post("/settings/answers/", form).status_code == 302
    kept = CustomInstructions.objects.get()
    assert (kept.about, kept.style) == ("", "")
    assert call(cast, "patch", "/api/profile/", display_name=blank).json()["display_name"] == ""


def test_notes_are_then_none(cast: Cast, blank: Any) -> None:
    kept = talk(cast.alice, "Hello", "Good day")
    pk = str(kept.messages.get(text="Good day").pk)
    assert call(cast, "post", "/api/reports/", message_id=pk, reason="other", note=blank).status_code == 201
    assert call(cast, "post", f"/api/messages/{pk}/feedback/", value=1, note=blank).status_code == 200
    assert (Report.objects.get().note, Feedback.objects.get().note) == ("", "")


def test_a_suspension_needs_a_reason(cast: Cast, blank: Any) -> None:
    address = f"/admin/accounts/user/{cast.bob.pk}/suspend/"
    page = cast.client("staff").post(address, {"reason": blank, "until": ""})
    assert page.status_code == 200
    cast.bob.refresh_from_db()
    assert cast.bob.suspended_at is None
