"""Reads what the workers of a model can do, as they announce it. Chat decides by this, never by an engine's
name.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import Any

from chat.model_cards.bounds import EFFORT
from chat.model_cards.models import ModelCard
from inference.contract import Capabilities

LONGEST_LICENCE = 500  # characters of its name, and of its link

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


def default_effort(card: ModelCard) -> str:
    """Returns how much staff let a model think where nobody chose; "" for as it does by itself."""
    effort = str(card.defaults.get(EFFORT, ""))
    return effort if effort in capabilities_of(card).efforts else ""


def parse_announced_licence(announced: str) -> dict[str, str]:
    """Returns name and link of the licence that a worker announces; nothing where there is none."""
    try:
        said = json.loads(announced)
        name, link = (str(said.get(key, ""))[:LONGEST_LICENCE] for key in ("name", "link"))
    except (ValueError, AttributeError):
        return {}
    if not name:
        return {}
    return {"name": name, "link": link if link.startswith(("https://", "http://")) else ""}
