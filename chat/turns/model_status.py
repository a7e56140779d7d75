"""The models that a person may choose, and the state of each, for the picker beside the message box."""

from __future__ import annotations

from typing import Any

from chat.accounts.models import User
from chat.model_cards.access import models_for
from chat.model_cards.selection import is_starting
from chat.model_cards.serializers import model_json
from chat.turns import redis_client, served_models
from chat.turns.served_models import ServedModel


def models_json(user: User) -> list[dict[str, Any]]:
    """Lists what this person may choose, the model of new chats first.

    `running` is null where Redis does not tell; `starting` says that a worker here may still be loading;
    `last_seen` is when a worker lived last, as the database knows it.
    """
    try:
        served = {model.slug: model for model in served_models.served_models()}
        unknown: dict[str, Any] = {"running": False, "waiting": 0, "estimate": None, "problem": ""}
    except redis_client.UNAVAILABLE:
        served, unknown = {}, {"running": None, "waiting": 0, "estimate": None, "problem": ""}
    return [
        _with_start(
            {
                **model_json(card),
                **(_status(served[card.slug]) if card.slug in served else unknown),
                "last_seen": card.last_seen_at.isoformat() if card.last_seen_at else None,
            }
        )
        for card in models_for(user)
    ]


def _with_start(model: dict[str, Any]) -> dict[str, Any]:
    return {**model, "starting": model["running"] is False and is_starting(model["slug"])}


def _status(model: ServedModel) -> dict[str, Any]:
    return {
        "running": bool(model.workers),
        "waiting": model.waiting,
        "estimate": model.estimate,
        "problem": model.problem,
    }
