"""The messages that earlier steps of a reply are for the next one: text, thoughts, calls and results."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

from chat.conversations.models import Role
from chat.model_cards.limits import context_tokens
from chat.turns.call_errors import told_to_model
from chat.turns.called_tools import written_arguments
from chat.turns.models import Generation, Part, ToolCall
from inference.contract import Kind

LEAST_RESULT_CHARS = 400
CUT = "\n… (the rest of this result is left out)"


def messages_of(later: Generation) -> list[dict[str, Any]]:
    """Returns the messages of the steps before a step, oldest first; results are cut to fit the context."""
    steps = list(Generation.objects.filter(message=later.message_id, step__lte=later.step).order_by("step"))
    texts = _texts_of(later.message.text, steps)
    by_step: dict[Any, list[ToolCall]] = {}
    for call in ToolCall.objects.filter(step__in=steps).order_by("position"):
        by_step.setdefault(call.step_id, []).append(call)
    thoughts = _thoughts_of(steps[:-1])
    number = sum(map(len, by_step.values()))
    most = max(LEAST_RESULT_CHARS, context_tokens(later.model) // max(1, number))
    messages: list[dict[str, Any]] = []
    for step, text in zip(steps[:-1], texts, strict=False):
        calls = by_step.get(step.pk, [])
        called: dict[str, Any] = {"calls": [_call_of(call) for call in calls]} if calls else {}
        if calls and step.pk in thoughts:
            called["thought"] = thoughts[step.pk]
        messages.append({"role": Role.ASSISTANT, "content": text, **called})
        messages += [_result_of(call, most) for call in calls]
    return messages


def _thoughts_of(steps: Sequence[Generation]) -> dict[UUID, str]:
    """Returns what each step thought: some models go on from it after their calls. No later turn gets it."""
    parts = Part.objects.filter(generation__in=[step for step in steps if step.has_parts], kind=Kind.THOUGHT)
    thoughts: dict[UUID, str] = {}
    for part in parts.order_by("generation", "order"):
        thoughts[part.generation_id] = thoughts.get(part.generation_id, "") + part.text
    return thoughts


def _texts_of(text: str, steps: Sequence[Generation]) -> list[str]:
    """Returns the answer's text by step; that of the first one includes what the reply continues."""
    starts = [0, *(step.parameters.prefix_characters for step in steps[1:])]
    return [text[start:end] for start, end in pairwise([*starts, None])]


def _call_of(call: ToolCall) -> dict[str, str]:
    """Servers read arguments as JSON and refuse others; the result says what was wrong."""
    return {"id": call.call_id, "name": _name_of(call), "arguments": written_arguments(call)}


def _name_of(call: ToolCall) -> str:
    return call.name or "unknown"


def _result_of(call: ToolCall, most: int) -> dict[str, str]:
    result = told_to_model(call)
    content = result if len(result) <= most else result[:most] + CUT
    return {"role": "tool", "call": call.call_id, "name": _name_of(call), "content": content}
