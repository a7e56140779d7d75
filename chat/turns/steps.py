"""Adds the steps of an answer to its JSON: fields that pages and frames show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch, prefetch_related_objects

from chat.conversations.models import Message, MessageStatus, Role
from chat.turns.call_json import call_json, shown_calls
from chat.turns.event_positions import number_of
from chat.turns.models import Generation
from chat.turns.parts import parts_json
from inference.contract import Reason

# Of each step: a page of answers reads no more.
SHOWN = (
    "message_id",
    "step",
    "model",
    "completion_tokens",
    "logged_tokens",
    "run",
    "reason",
    "has_parts",
    "parameters",
)


def load(messages: Sequence[Message]) -> None:
    """Adds the fields to the extras of all of these messages, with two queries at most."""
    answers = [message for message in messages if message.role == Role.ASSISTANT]
    prefetch_related_objects(answers, Prefetch("steps", Generation.objects.only(*SHOWN)))
    shown = {answer.pk: _shown_steps(answer) for answer in answers}
    with_parts = [step for answer in answers for step in _steps_with_parts(answer, shown[answer.pk])]
    prefetch_related_objects(with_parts, "parts")
    that_called = [step for steps in shown.values() for step in steps if step.reason == Reason.CALLS]
    prefetch_related_objects(that_called, Prefetch("calls", shown_calls()))
    for answer in answers:
        parts = [] if answer.hidden_at else _parts(answer, shown[answer.pk])
        answer.extras = {
            **answer.extras,
            **extras(shown[answer.pk]),
            **({"parts": parts} if parts else {}),
            **_calls(answer, shown[answer.pk]),
            **_begun_text(answer, shown[answer.pk]),
        }


def _steps_with_parts(answer: Message, steps: Sequence[Generation]) -> list[Generation]:
    """Returns the steps whose parts are shown. What a live reply has written so far comes in frames: of it,
    only the thought that it continues is."""
    return [step for step in steps if step.has_parts and not (_is_live(answer) and step.step)]


def _parts(answer: Message, steps: Sequence[Generation]) -> list[dict[str, Any]]:
    return parts_json(_steps_with_parts(answer, steps), continued_only=_is_live(answer))


def _is_live(answer: Message) -> bool:
    return answer.status == MessageStatus.LIVE


def _calls(answer: Message, steps: Sequence[Generation]) -> dict[str, Any]:
    """Returns the calls of all steps, of a live reply too: their frames may have been lost."""
    that_called = [step for step in steps if step.reason == Reason.CALLS and not answer.hidden_at]
    calls = [call_json(call, step.step) for step in that_called for call in step.calls.all()]
    return {"calls": calls} if calls else {}


def _begun_text(answer: Message, steps: Sequence[Generation]) -> dict[str, str]:
    """Returns the text that a live reply of several steps continues: what its settled steps wrote comes in
    frames, as the tokens of the live one."""
    if not _is_live(answer) or len(steps) < 2 or answer.hidden_at:
        return {}
    return {"text": answer.text[: steps[0].parameters.prefix_characters]}


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
        **({"column": column} if (column := steps[0].parameters.column) else {}),
        **({"restarted": True} if last.run or steps[0].parameters.began_again else {}),
    }
