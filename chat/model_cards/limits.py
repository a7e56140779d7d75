"""Computes how long a model's answers may be."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from chat.model_cards.bounds import MAX_TOKENS
from chat.model_cards.models import ModelCard

LEAST_USUAL_ANSWER = 512  # tokens; the usual length of answers of models with a short context


def context_tokens(slug: str) -> int:
    """Returns the context of a model; 0 if there is no such model."""
    card = ModelCard.objects.filter(slug=slug).only("context_tokens", "context_limit").first()
    return card.context if card else 0


@dataclass(frozen=True, slots=True)
class AnswerTokens:
    """Holds the usual and the longest length of a model's answer, in tokens."""

    usual: int  # where nobody chose a length
    longest: int  # that a person may choose


def answer_tokens(card: ModelCard) -> AnswerTokens:
    """Returns the staff's default or GROKWEB_MAX_NEW_TOKENS, or without them a quarter of the context.

    At most half of it, which is as much as a prompt leaves (inference/text/prompt.py).
    """
    half = max(1, card.context // 2)
    limit = settings.MAX_NEW_TOKENS
    usual = card.defaults.get(MAX_TOKENS) or limit or max(LEAST_USUAL_ANSWER, card.context // 4)
    longest = min(limit or half, half)
    return AnswerTokens(min(usual, longest), longest)
