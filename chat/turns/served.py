"""The models one can talk to, and how each is doing: for the picker beside the message box."""

from __future__ import annotations

from typing import Any

from chat.conversations.services import model_json, models
from chat.turns import port
from chat.turns.port import ServedModel


def models_json() -> list[dict[str, Any]]:
    """The default first. `running` is null where Redis does not tell."""
    try:
        served = {model.slug: model for model in port.served_models()}
        unknown: dict[str, Any] = {"running": False, "waiting": 0, "estimate": None}
    except port.UNAVAILABLE:
        served, unknown = {}, {"running": None, "waiting": 0, "estimate": None}
    return [
        {**model_json(card), **(_state(served[card.slug]) if card.slug in served else unknown)}
        for card in models()
    ]


def _state(model: ServedModel) -> dict[str, Any]:
    return {"running": bool(model.workers), "waiting": model.waiting, "estimate": model.estimate}
