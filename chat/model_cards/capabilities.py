"""Reads what the workers of a model can do, as they announce it. Chat decides by this, never by an engine's
name.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import Any

from chat.model_cards.models import ModelCard
from inference.contract import Capabilities

logger = logging.getLogger("grokweb.models")


def parse_announced_capabilities(announced: str) -> dict[str, Any]:
    """Returns what a worker announces, for the model's card; nothing where it cannot be read."""
    try:
        return dataclasses.asdict(Capabilities.from_json(announced))
    except (ValueError, TypeError) as error:
        logger.warning("capabilities that a worker announced are ignored: %s", error)
        return {}


def capabilities_of(model: ModelCard | str) -> Capabilities:
    """Returns what is known of a model, by its card or slug; the defaults for one whose workers announce
    nothing."""
    if isinstance(model, ModelCard):
        stored = model.capabilities
    else:
        stored = ModelCard.objects.filter(slug=model).values_list("capabilities", flat=True).first()
    try:
        return Capabilities.from_json(json.dumps(stored or {}))
    except (ValueError, TypeError):
        return Capabilities()
