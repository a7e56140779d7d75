"""Lists the settings of answers, which people choose and staff set as defaults of a model, with bounds."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from inference.contract import SEED_LIMIT

Number = int | float
# The bound of a frame; a model's own (limits.answer_tokens) is lower.
LARGEST_MAX_TOKENS = settings.MAX_NEW_TOKENS or 2**20


@dataclass(frozen=True, slots=True)
class Bounds:
    label: str | Promise  # as static/js/parts/sampling_dialog.js names it
    lowest: Number
    highest: Number
    whole: bool = False


BOUNDS = {
    "temperature": Bounds(gettext_lazy("Temperature"), 0.0, 2.0),
    "top_p": Bounds("Top-p", 0.05, 1.0),
    "top_k": Bounds("Top-k", 0, 1000, whole=True),
    "min_p": Bounds("Min-p", 0.0, 1.0),
    "repetition": Bounds(gettext_lazy("Repetition penalty"), 0.5, 2.0),
    "max_tokens": Bounds(gettext_lazy("Longest answer, in tokens"), 1, LARGEST_MAX_TOKENS, whole=True),
    "seed": Bounds(gettext_lazy("Seed"), 0, SEED_LIMIT - 1, whole=True),
}
MAX_TOKENS = "max_tokens"
EFFORT = "effort"  # how much the model thinks, where it can be asked for that: one of contract.EFFORTS
SETTING_NAMES = (*BOUNDS, EFFORT)
SAMPLING_NAMES = ("temperature", "top_p", "top_k", "min_p", "repetition")  # fields of contract.Sampling
