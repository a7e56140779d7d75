"""The options by which an answer differs from the other answers in its place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chat.conversations.models import Message, Role
from chat.model_cards.models import ModelCard
from chat.turns.models import Generation

Traits = dict[str, Any]


def load(messages: Sequence[Message]) -> None:
    """Sets `differs` of answers that have others in their place, for message_json: two queries at most."""
    several = [each for each in messages if each.role == Role.ASSISTANT and len(each.siblings or []) > 1]
    if not several:
        return
    traits = _traits_of({pk for message in several for pk in message.siblings or []})
    for message in several:
        own = traits.get(message.pk)
        others = [traits[pk] for pk in message.siblings or [] if pk in traits]
        if own and not message.hidden_at:
            message.extras = {**message.extras, "differs": _differing(own, others)}


def _traits_of(answers: Iterable[Any]) -> dict[Any, Traits]:
    rows = list(
        Generation.objects.filter(message__in=answers, step=0).values_list(
            "message_id", "model", "parameters"
        )
    )
    names = dict(
        ModelCard.objects.filter(slug__in={model for _, model, _ in rows}).values_list("slug", "name")
    )
    return {
        message: {
            "model": names.get(model, model),
            "persona": parameters.persona,
            **parameters.shown(),
        }
        for message, model, parameters in rows
    }


def _differing(own: Traits, others: list[Traits]) -> Traits:
    return {name: value for name, value in own.items() if any(other.get(name) != value for other in others)}
