"""The details of one answer for its owner: model, settings, tokens and times of its steps."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from chat.conversations.models import Message, Role
from chat.core.errors import BadInput
from chat.model_cards.models import ModelCard
from chat.turns.end_messages import message_for_end
from chat.turns.models import LIVE, Generation
from inference.contract import Reason


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
        "model": card.name if card else last.model,
        "persona": parameters.persona,
        "ended": _ending(last),
        "prompt_tokens": sum(each.prompt_tokens for each in steps) or None,
        "completion_tokens": sum(each.completion_tokens for each in steps),
        "queued_ms": first.queued_ms,
        "first_token_ms": first.first_token_ms,
        "whole_ms": _time_of(steps),
        "tokens_a_second": pace(last),
        "seed": str(first.seed),  # 63 bits: JavaScript's numbers would round it
        "settings": parameters.shown(),
    }


def _time_of(steps: list[Generation]) -> int | None:
    """Returns the milliseconds that all steps took; None where that of one is not known."""
    times = [each.whole_ms for each in steps if each.whole_ms is not None]
    return sum(times) if len(times) == len(steps) else None


def pace(generation: Generation) -> float | None:
    """Returns tokens a second from the first one on; None where that is not known."""
    if generation.whole_ms is None or generation.first_token_ms is None or generation.completion_tokens < 2:
        return None
    spent = generation.whole_ms - generation.first_token_ms
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
