"""The details of one answer for its owner: model, settings, tokens and times of its steps."""

from __future__ import annotations

from typing import Any

from django.db.models import F, Sum
from django.utils.translation import gettext as _

from chat.conversations.models import Message, Role
from chat.core.errors import BadInput
from chat.model_cards.models import ModelCard
from chat.turns.end_messages import message_for_end
from chat.turns.models import LIVE, Generation, Part, ToolCall
from inference.contract import Kind, Reason


def details_of(message: Message) -> dict[str, Any] | None:
    """Returns None for an answer that was imported. Raises BadInput for a message that is no answer."""
    if message.role != Role.ASSISTANT:
        raise BadInput(_("That message is not a reply."))
    steps = list(Generation.objects.steps_of(message))
    if not steps:
        return None
    first, last = steps[0], steps[-1]
    card = ModelCard.objects.filter(slug=last.model).first()
    parameters = first.parameters
    return {
        "model": card.shown_name if card else last.model,
        "persona": parameters.persona,
        "ended": _ending(last),
        "prompt_tokens": sum(each.prompt_tokens for each in steps) or None,
        "completion_tokens": sum(each.completion_tokens for each in steps),
        **_thinking(steps),
        "tools": _tools(steps),
        "tokens_estimated": any(each.is_usage_estimated for each in steps),
        "queued_ms": first.queued_ms,
        "first_token_ms": first.first_token_ms,
        "total_ms": _time_of(steps),
        "tokens_a_second": pace(last),
        "seed": str(first.seed),  # 63 bits: JavaScript's numbers would round it
        "settings": parameters.shown(),
    }


def _thinking(steps: list[Generation]) -> dict[str, int]:
    """Returns the tokens of thoughts, which are among those written, and how long they took.

    No tokens where a model's server counted those written: its count has no parts.
    """
    parts = Part.objects.filter(
        generation__in=[each.pk for each in steps if each.has_parts], kind=Kind.THOUGHT
    )
    sums = parts.aggregate(tokens=Sum(F("seq") - F("after")), ms=Sum("duration_ms"))
    tokens = 0 if any(each.logged_tokens is not None for each in steps) else sums["tokens"] or 0
    return {"thought_tokens": tokens, "thought_ms": sums["ms"] or 0}


def _tools(steps: list[Generation]) -> list[dict[str, str]]:
    """Returns each call with what became of it, in the reader's language; the message has the rest of it."""
    calls = ToolCall.objects.filter(step__in=steps).only("name", "status").order_by("step__step", "position")
    return [{"name": call.name, "ended": call.get_status_display()} for call in calls]


def _time_of(steps: list[Generation]) -> int | None:
    """Returns the milliseconds that all steps took; None where that of one is not known."""
    times = [each.total_ms for each in steps if each.total_ms is not None]
    return sum(times) if len(times) == len(steps) else None


def pace(generation: Generation) -> float | None:
    """Returns tokens a second from the first one on; None where that is not known."""
    if generation.total_ms is None or generation.first_token_ms is None or generation.completion_tokens < 2:
        return None
    spent = generation.total_ms - generation.first_token_ms
    return round((generation.completion_tokens - 1) * 1000 / spent, 1) if spent > 0 else None


def _ending(generation: Generation) -> str:
    if generation.status in LIVE:
        return _("It is still being written.")
    endings: dict[str, str] = {
        Reason.STOP: _("The model was done."),
        Reason.LENGTH: _("It reached the longest length allowed."),
        Reason.STOPPED: _("You stopped it."),
    }
    return endings.get(generation.reason) or message_for_end(generation.reason, generation.error)
