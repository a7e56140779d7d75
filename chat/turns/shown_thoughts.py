"""The thoughts of answers for exports and shared pages, whose owner chose to add them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from chat.conversations.models import Message, MessageStatus, Role
from chat.turns.models import Generation
from chat.turns.parts import parts_json
from inference.contract import Kind

BETWEEN = "\n\n"


def thoughts_of(messages: Sequence[Message]) -> dict[UUID, list[dict[str, Any]]]:
    """Returns the thoughts of answers that have some, as `parts` of their JSON; those of a hidden or live
    answer are shown nowhere."""
    answers = [each.pk for each in messages if _is_shown(each)]
    steps = Generation.objects.filter(message__in=answers, has_parts=True).order_by("step")
    steps = steps.only("message_id", "step", "has_parts", "parameters").prefetch_related("parts")
    by_message: dict[UUID, list[Generation]] = {}
    for step in steps if answers else ():
        by_message.setdefault(step.message_id, []).append(step)
    found = {pk: _thoughts_in(of_message) for pk, of_message in by_message.items()}
    return {pk: thoughts for pk, thoughts in found.items() if thoughts}


def thought_texts_of(messages: Sequence[Message]) -> dict[UUID, str]:
    """Returns the same as one text for each answer."""
    found = thoughts_of(messages)
    return {pk: BETWEEN.join(each["text"] for each in thoughts) for pk, thoughts in found.items()}


def _is_shown(message: Message) -> bool:
    return (
        message.role == Role.ASSISTANT and message.hidden_at is None and message.status != MessageStatus.LIVE
    )


def _thoughts_in(steps: Sequence[Generation]) -> list[dict[str, Any]]:
    return [part for part in parts_json(steps) if part["kind"] == Kind.THOUGHT and part["text"].strip()]
