"""Computes how long a model's answers may be."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from chat.model_cards.models import ModelCard

LEAST_USUAL_ANSWER = 512  # tokens; the usual length of answers of models with a short context


def context_tokens(slug: str) -> int:
    """Returns the context of a model; 0 if there is no such model."""
    found = ModelCard.objects.filter(slug=slug).values_list("context_tokens", flat=True).first()
    return found or 0


@dataclass(frozen=True, slots=True)
class AnswerTokens:
    """Holds the usual and the longest length of a model's answer, in tokens."""

    usual: int  # where nobody chose a length
    longest: int  # that a person may choose


def answer_tokens(card: ModelCard) -> AnswerTokens:
    """Returns GROKWEB_MAX_NEW_TOKENS, or without it a quarter of the context and at most half, which is as
    much as a prompt leaves (inference/text/prompt.py)."""
    half = max(1, card.context_tokens // 2)
    limit = settings.MAX_NEW_TOKENS
    usual = limit or max(LEAST_USUAL_ANSWER, card.context_tokens // 4)
    return AnswerTokens(min(usual, half), min(limit or half, half))
