"""The state of a call as pages see it (docs/protocol.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models.functions import Left

from chat.conversations.models import Message, Role
from chat.turns.models import CallStatus, ToolCall

SHOWN_CHARS = 2000  # of a result
_ORDER = {CallStatus.WAITING: 0, CallStatus.QUEUED: 1, CallStatus.RUNNING: 2}


def shown_calls() -> models.QuerySet[ToolCall]:
    """Returns calls as call_json needs them, without the rest of long results."""
    return ToolCall.objects.defer("result").annotate(shown_result=Left("result", SHOWN_CHARS + 1))


def call_json(call: ToolCall, step: int) -> dict[str, Any]:
    """Returns a call of shown_calls with its step's number. Of two states, the one with the higher `version`
    is newer."""
    result: str = call.shown_result  # type: ignore[attr-defined]
    took = call.finished_at - call.started_at if call.finished_at and call.started_at else None
    return {
        "id": str(call.pk),
        "step": step,
        "position": call.position,
        "name": call.name,
        "arguments": call.arguments,
        "status": call.status,
        "error": call.error,
        "result": result[:SHOWN_CHARS],
        "cut": len(result) > SHOWN_CHARS,
        "ms": None if took is None else round(took.total_seconds() * 1000),
        "version": 10 * call.attempt + _ORDER.get(CallStatus(call.status), 3),
    }


def whole_calls_of(messages: Iterable[Message]) -> dict[UUID, list[ToolCall]]:
    """Returns the calls of answers with everything that is stored of them, for exports, in one query."""
    answers = [each.pk for each in messages if each.role == Role.ASSISTANT and each.hidden_at is None]
    calls = ToolCall.objects.filter(step__message__in=answers).select_related("step")
    found: dict[UUID, list[ToolCall]] = {}
    for call in calls.order_by("step__step", "position"):
        found.setdefault(call.step.message_id, []).append(call)
    return found
