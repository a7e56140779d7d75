"""How one answer was made, for its owner: the figures of its generation in plain words."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from chat.conversations.models import Message, ModelCard, Role
from chat.core.errors import BadInput
from chat.turns import services
from chat.turns.models import LIVE, Generation
from inference.contract import Reason

SHOWN_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition", "max_new_tokens")


def details_of(message: Message) -> dict[str, Any] | None:
    """None for an answer that came in from a file: nobody knows how it was made."""
    if message.role != Role.ASSISTANT:
        raise BadInput(_("That message is not a reply."))
    made = Generation.objects.filter(message=message).first()
    if made is None:
        return None
    card = ModelCard.objects.filter(slug=made.model).first()
    parameters = made.parameters
    return {
        "model": card.name if card else made.model,
        "persona": parameters.get("persona", ""),
        "ended": _ending(made),
        "prompt_tokens": made.prompt_tokens or None,
        "completion_tokens": made.completion_tokens,
        "queued_ms": made.queued_ms,
        "first_token_ms": made.first_token_ms,
        "whole_ms": made.whole_ms,
        "tokens_a_second": pace(made),
        "seed": str(made.seed),  # 63 bits: JavaScript's numbers would round it
        "settings": {name: parameters[name] for name in SHOWN_SAMPLING if name in parameters},
    }


def pace(made: Generation) -> float | None:
    """Tokens a second once they came, as the reader saw them."""
    if made.whole_ms is None or made.first_token_ms is None or made.completion_tokens < 2:
        return None
    spent = made.whole_ms - made.first_token_ms
    return round((made.completion_tokens - 1) * 1000 / spent, 1) if spent > 0 else None


def _ending(made: Generation) -> str:
    if made.status in LIVE:
        return _("It is still being written.")
    words: dict[str, str] = {
        Reason.STOP: _("The model was done."),
        Reason.LENGTH: _("It reached the longest length allowed."),
        Reason.STOPPED: _("You stopped it."),
    }
    return words.get(made.reason) or services.words_for(made.reason, made.error)
