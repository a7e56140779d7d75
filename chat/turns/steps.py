"""Adds the steps of an answer to its JSON: fields that pages and frames show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import prefetch_related_objects

from chat.conversations.models import Message, Role
from chat.turns.event_positions import number_of
from chat.turns.models import Generation


def load(messages: Sequence[Message]) -> None:
    """Adds the fields to the extras of all of these messages, with one query at most."""
    answers = [message for message in messages if message.role == Role.ASSISTANT]
    prefetch_related_objects(answers, "steps")
    for answer in answers:
        steps = sorted(answer.steps.all(), key=lambda each: each.step)
        answer.extras = {**answer.extras, **extras(steps)}


def extras(steps: Sequence[Generation]) -> dict[str, Any]:
    """Returns the fields: a reply is known by its first step and ends with its last one. An imported answer
    has no step."""
    if not steps:
        return {}
    last = steps[-1]
    seq = number_of(last.step, last.completion_tokens)
    return {
        "generation": {"id": str(steps[0].pk), "seq": seq, "model": last.model},
        "reason": last.reason,
    }
