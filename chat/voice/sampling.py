"""The settings of answers that a person may change: names, bounds, and what they are without a wish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.core.errors import BadInput
from inference.contract import SEED_LIMIT, Sampling

Number = int | float


@dataclass(frozen=True, slots=True)
class Bounds:
    words: str | Promise  # as static/js/answers.js names it
    lowest: Number
    highest: Number
    whole: bool = False


BOUNDS = {
    "temperature": Bounds(gettext_lazy("Temperature"), 0.0, 2.0),
    "top_p": Bounds("Top-p", 0.05, 1.0),
    "top_k": Bounds("Top-k", 0, 1000, whole=True),
    "min_p": Bounds("Min-p", 0.0, 1.0),
    "repetition": Bounds(gettext_lazy("Repetition penalty"), 0.5, 2.0),
    "max_tokens": Bounds(gettext_lazy("Longest answer, in tokens"), 1, settings.MAX_NEW_TOKENS, whole=True),
    "seed": Bounds(gettext_lazy("Seed"), 0, SEED_LIMIT - 1, whole=True),
}
OF_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition")  # of contract.Sampling
USUAL: dict[str, Number] = {name: getattr(Sampling(), name) for name in OF_SAMPLING}


def checked(told: dict[str, Any]) -> dict[str, Number]:
    """Settings by name; raises BadInput with the bounds. A seed may be text: JSON's readers round it."""
    unknown = set(told) - set(BOUNDS)
    if unknown:
        raise BadInput(_("There is no setting called “%(name)s”.") % {"name": str(min(unknown))[:40]})
    found = {name: _number(name, value) for name, value in told.items()}
    try:
        Sampling(**{name: found[name] for name in OF_SAMPLING if name in found})  # type: ignore[arg-type]
    except ValueError as error:  # the contract is stricter than the bounds here
        raise BadInput(str(error)) from None
    return found


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
        raise BadInput(words % {"name": bounds.words, "lowest": bounds.lowest, "highest": bounds.highest})
    return int(value) if bounds.whole else float(value)


def as_json(found: dict[str, Number]) -> dict[str, Any]:
    """For the page, whose numbers have 53 bits."""
    return {name: str(value) if name == "seed" else value for name, value in found.items()}
