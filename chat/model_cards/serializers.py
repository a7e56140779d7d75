"""Serializes models for pages and frames (docs/protocol.md)."""

from __future__ import annotations

from typing import Any

from chat.core.sizes import message_chars
from chat.model_cards.capabilities import capabilities_of
from chat.model_cards.limits import answer_tokens
from chat.model_cards.models import ModelCard
from chat.model_cards.selection import successor_of


def model_json(card: ModelCard) -> dict[str, Any]:
    """Serializes a model as the list of models shows it."""
    tokens = answer_tokens(card)
    return {
        "slug": card.slug,
        "name": card.name,
        "about": card.about,
        "is_demo": card.is_demo,
        "context_tokens": card.context_tokens,
        "answer_tokens": {"usual": tokens.usual, "longest": tokens.longest},
        "sampling": card.sampling,
        "efforts": list(capabilities_of(card).efforts),
        "message_chars": message_chars(card.context_tokens),
        "hidden": card.is_hidden,
    }


def conversation_model_json(card: ModelCard) -> dict[str, Any]:
    """Serializes an open conversation's model, with its successor if it is retired."""
    successor = successor_of(card) if card.is_retired else None
    return {
        **model_json(card),
        "retired": card.is_retired,
        "successor": model_json(successor) if successor else None,
    }
