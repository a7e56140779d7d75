"""The details of one answer for its owner: model, settings, tokens and times of its generation."""

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
    generation = Generation.objects.filter(message=message).first()
    if generation is None:
        return None
    card = ModelCard.objects.filter(slug=generation.model).first()
    parameters = generation.parameters
    return {
        "model": card.name if card else generation.model,
        "persona": parameters.persona,
        "ended": _ending(generation),
        "prompt_tokens": generation.prompt_tokens or None,
        "completion_tokens": generation.completion_tokens,
        "queued_ms": generation.queued_ms,
        "first_token_ms": generation.first_token_ms,
        "whole_ms": generation.whole_ms,
        "tokens_a_second": pace(generation),
        "seed": str(generation.seed),  # 63 bits: JavaScript's numbers would round it
        "settings": parameters.shown(),
    }


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
