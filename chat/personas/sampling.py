"""Settings of answers that a user may change: parsed, with their defaults."""

from __future__ import annotations

import json
from typing import Any

from django.utils.translation import gettext as _

from chat.core.errors import BadInput
from chat.model_cards.bounds import BOUNDS, EFFORT, SAMPLING_NAMES, SETTING_NAMES, Number
from chat.model_cards.models import ModelCard
from inference.contract import EFFORTS, Sampling

Setting = Number | str  # text: the effort of thinking
MODEL_ONLY_NAMES = ("presence", "frequency")  # further fields of it, which only a model sets
DEFAULTS: dict[str, Number] = {name: getattr(Sampling(), name) for name in SAMPLING_NAMES}


def parse_settings(values: dict[str, Any]) -> dict[str, Setting]:
    """Returns settings by name. Raises BadInput with the bounds. A seed may be text: JSON rounds numbers."""
    unknown = set(values) - set(SETTING_NAMES)
    if unknown:
        raise BadInput(_("There is no setting called “%(name)s”.") % {"name": str(min(unknown))[:40]})
    found: dict[str, Setting] = {
        name: _effort(value) if name == EFFORT else _number(name, value) for name, value in values.items()
    }
    try:
        Sampling(**{name: found[name] for name in SAMPLING_NAMES if name in found})  # type: ignore[arg-type]
    except ValueError as error:  # the contract is stricter than the bounds here
        raise BadInput(str(error)) from None
    return found


def defaults_for(card: ModelCard) -> dict[str, Number]:
    """Returns the defaults of a model: what staff set, else its own, else the site's."""
    return {**DEFAULTS, **card.usual_sampling}


def parse_announced_sampling(raw: str) -> dict[str, Number]:
    """Parses the sampling that a worker announces for its model; empty if it is not valid."""
    try:
        found = json.loads(raw)
        Sampling(**found)
    except (ValueError, TypeError):
        return {}
    return dict(found)


def _effort(value: Any) -> str:
    if value not in EFFORTS:
        raise BadInput(
            _("“%(name)s” must be one of %(values)s.") % {"name": EFFORT, "values": ", ".join(EFFORTS)}
        )
    return str(value)


def _number(name: str, value: Any) -> Number:
    bounds = BOUNDS[name]
    if (
        name == "seed"
        and isinstance(value, str)
        and value.isascii()
        and value.isdecimal()
        and len(value) < 20
    ):
        value = int(value)
    is_number = isinstance(value, int if bounds.whole else int | float) and not isinstance(value, bool)
    if not is_number or not bounds.lowest <= value <= bounds.highest:
        words = (
            _("“%(name)s” must be a whole number from %(lowest)s to %(highest)s.")
            if bounds.whole
            else _("“%(name)s” must be a number from %(lowest)s to %(highest)s.")
        )
        raise BadInput(words % {"name": bounds.label, "lowest": bounds.lowest, "highest": bounds.highest})
    return int(value) if bounds.whole else float(value)


def settings_json(found: dict[str, Setting]) -> dict[str, Any]:
    """Returns settings for the page. The seed is text there: numbers in JavaScript have 53 bits."""
    return {name: str(value) if name == "seed" else value for name, value in found.items()}
