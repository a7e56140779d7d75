"""Adds the steps of an answer to its JSON: fields that pages and frames show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch, prefetch_related_objects

from chat.conversations.models import Message, Role
from chat.turns.event_positions import number_of
from chat.turns.models import Generation
from chat.turns.parts import parts_json

# Of each step: a page of answers reads no more.
SHOWN = (
    "message_id",
    "step",
    "model",
    "completion_tokens",
    "logged_tokens",
    "reason",
    "has_parts",
    "parameters",
)


def load(messages: Sequence[Message]) -> None:
    """Adds the fields to the extras of all of these messages, with two queries at most."""
    answers = [message for message in messages if message.role == Role.ASSISTANT]
    prefetch_related_objects(answers, Prefetch("steps", Generation.objects.only(*SHOWN)))
    shown = {answer.pk: _shown_steps(answer) for answer in answers}
    with_parts = [step for steps in shown.values() for step in steps if step.has_parts]
    prefetch_related_objects(with_parts, "parts")
    for answer in answers:
        parts = [] if answer.hidden_at else parts_json(shown[answer.pk])
        answer.extras = {
            **answer.extras,
            **extras(shown[answer.pk]),
            **({"parts": parts} if parts else {}),
        }


def _shown_steps(answer: Message) -> list[Generation]:
    return sorted(answer.steps.all(), key=lambda each: each.step)


def extras(steps: Sequence[Generation]) -> dict[str, Any]:
    """Returns the fields that every answer of ours has: it is known by its first step and ends with its last
    one. An imported answer has no step."""
    if not steps:
        return {}
    last = steps[-1]
    seq = number_of(last.step, last.seq)
    return {
        "generation": {"id": str(steps[0].pk), "seq": seq, "model": last.model},
        "reason": last.reason,
    }
