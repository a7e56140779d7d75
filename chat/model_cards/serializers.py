"""Serializes models for pages and frames (docs/protocol.md)."""

from __future__ import annotations

from typing import Any

from chat.core.sizes import message_chars
from chat.model_cards.capabilities import capabilities_of, default_effort
from chat.model_cards.limits import answer_tokens
from chat.model_cards.models import ModelCard


def model_json(card: ModelCard) -> dict[str, Any]:
    """Serializes a model as the list of models shows it."""
    tokens = answer_tokens(card)
    capabilities = capabilities_of(card)
    return {
        "slug": card.slug,
        "name": card.shown_name,
        "about": card.shown_about,
        "is_demo": card.is_demo,
        "context_tokens": card.context,
        "answer_tokens": {"usual": tokens.usual, "longest": tokens.longest},
        "sampling": card.usual_sampling,
        "efforts": list(capabilities.efforts),
        "effort": default_effort(card),
        "images": capabilities.images,
        "message_chars": message_chars(card.context),
        "hidden": card.is_hidden,
        "price": float(card.price),
    }
