"""Reads a model's recommended sampling from generation_config.json in its folder."""

from __future__ import annotations

from pathlib import Path

from inference.contract import Sampling
from inference.model_dir.headers import ModelUnusable, json_object

FILE = "generation_config.json"
# The name there, and the field of contract.Sampling. The two last are vLLM's names.
FIELDS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "repetition_penalty": "repetition",
    "presence_penalty": "presence",
    "frequency_penalty": "frequency",
}


def sampling_defaults(path: Path) -> dict[str, float]:
    """Returns the fields of contract.Sampling that a folder sets; ModelUnusable names what is no such value.

    `do_sample` is not asked, as in other servers: base models have it off, and greedy answers would repeat
    themselves.
    """
    if not (path / FILE).exists():
        return {}
    given = json_object(path / FILE)
    found: dict[str, float] = {}
    for theirs, ours in FIELDS.items():
        value = given.get(theirs)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ModelUnusable(f"{FILE} in {path}: {theirs} is {value!r}, not a number")
        found[ours] = value
    if "top_k" in found:
        found["top_k"] = _whole(found["top_k"], path)
    try:
        Sampling(**found)  # type: ignore[arg-type]
    except ValueError as error:
        raise ModelUnusable(f"{FILE} in {path}: {error}") from error
    return found


def _whole(top_k: float, path: Path) -> int:
    """Returns top_k, of which 0 and vLLM's -1 mean all tokens."""
    if top_k != top_k or abs(top_k) == float("inf") or top_k != int(top_k):
        raise ModelUnusable(f"{FILE} in {path}: top_k is {top_k!r}, not a whole number")
    return max(0, int(top_k))
