"""Migrating back to a release without calls of tools."""

from __future__ import annotations

from typing import Any

import pytest

from chat.conversations.models import Conversation, Message
from chat.turns.models import Generation

pytestmark = [pytest.mark.django_db(transaction=True)]


def test_a_reply_that_waits_for_tools_has_failed_for_an_older_release(
    migrate: Any, cast: Any, model_card: Any
) -> None:
    talk = Conversation.objects.create(owner=cast.alice, model=model_card)
    steps = []
    for status in ("calling", "running"):
        message = Message.objects.create(conversation=talk, role="assistant", status="live")
        steps.append(
            Generation.objects.create(
                message=message, user=cast.alice, model="scripted", status=status, seed=1, client_id=status
            )
        )
    old = migrate("turns", "0010_total_ms")
    rows = old.get_model("turns", "Generation").objects
    found = {row.status: row.finished_at is not None for row in rows.filter(pk__in=[s.pk for s in steps])}
    assert found == {"failed": True, "running": False}
    messages = [Message.objects.get(pk=step.message_id).status for step in steps]
    assert messages == ["failed", "live"]
