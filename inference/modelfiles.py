"""What lies in a model folder, checked without torch: web process, engine and operator all ask here.

A folder is one as transformers saves it: config.json, a tokenizer, the weights (`model.safetensors`, or
several files with `model.safetensors.index.json`), and perhaps grokweb.json: {"slug", "name", "about",
"is_demo", "titles", "chat_template"}. Only headers are read, so a folder of 600 GB is checked in moments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.grok1 import layout
from inference.headers import ModelUnusable, Stored, json_object, read_headers, weight_files

__all__ = ["GROK1", "SUPPORTED", "ModelFiles", "ModelUnusable", "describe"]

GROK1 = "grok1"
# The tokenizer files of which a folder must hold one, by model type. Ours is SentencePiece alone.
SUPPORTED = {
    GROK1: ("tokenizer.model",),
    "mixtral": ("tokenizer.json", "tokenizer.model"),
    "olmoe": ("tokenizer.json",),
    "qwen2_moe": ("tokenizer.json",),
    "qwen3_moe": ("tokenizer.json",),
    "granitemoe": ("tokenizer.json",),
}
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model folder that looks whole."""

    slug: str  # lower-case a-z, 0-9 and "-"; names the queue "model.<slug>"
    name: str
    context: int  # longest prompt plus reply, in tokens
    is_demo: bool
    about: str
    titles: bool  # whether it is asked for titles of conversations; the demo model's are nonsense
    weight_bytes: int  # on disk
    model_type: str
    path: Path
    parameters: int  # without the scales of int8 weights
    shards: tuple[Path, ...]
    tokenizer: str  # the file that says how text becomes ids
    chat_template: str  # of a Grok-1 folder
    stored: Mapping[str, int]  # bytes on disk by dtype ("F32", "BF16", "I8", ...)
    cached_numbers: int  # keys and values that one token leaves in the cache


def describe(path: Path) -> ModelFiles:
    """Check a folder and say what it is; raises ModelUnusable."""
    path = Path(path)
    if not path.exists():
        raise ModelUnusable(f"no model at {path}: there is no such folder")
    if not path.is_dir():
        raise ModelUnusable(f"no model at {path}: it is a file; give the folder that holds config.json")
    config = json_object(path / "config.json")
    model_type = config.get("model_type")
    if model_type not in SUPPORTED:
        raise ModelUnusable(f"{path} holds a model of type {model_type!r}; supported: {', '.join(SUPPORTED)}")
    tokenizer = next((name for name in SUPPORTED[model_type] if (path / name).is_file()), None)
    if tokenizer is None:
        raise ModelUnusable(f"no {' or '.join(SUPPORTED[model_type])} in {path}")
    shards = weight_files(path)
    found = read_headers(shards)
    if model_type == GROK1:
        layout.check(config, found, path)
    else:
        _check_other(config, found, path)
    stored: dict[str, int] = {}
    for tensor in found.values():
        stored[tensor.dtype] = stored.get(tensor.dtype, 0) + tensor.bytes
    card = json_object(path / "grokweb.json") if (path / "grokweb.json").exists() else {}
    return ModelFiles(
        slug=_slug(card, path),
        name=str(card.get("name") or path.resolve().name),
        context=_context(config),
        is_demo=bool(card.get("is_demo", False)),
        about=str(card.get("about", "")),
        titles=bool(card.get("titles", not card.get("is_demo", False))),
        weight_bytes=sum(stored.values()),
        model_type=model_type,
        path=path,
        parameters=sum(one.numbers for name, one in found.items() if not name.endswith(layout.SCALE)),
        shards=shards,
        tokenizer=tokenizer,
        chat_template=str(card.get("chat_template", "grok1")),
        stored=stored,
        cached_numbers=_cached_numbers(config),
    )


def _slug(card: Mapping[str, Any], path: Path) -> str:
    slug = card.get("slug") or re.sub(r"[^a-z0-9]+", "-", path.resolve().name.lower()).strip("-") or "model"
    if not isinstance(slug, str) or len(slug) > 64 or not SLUG.fullmatch(slug):
        raise ModelUnusable(
            f"grokweb.json in {path}: slug {slug!r} must be a-z, 0-9 and single dashes, 64 at most"
        )
    return slug


def _check_other(config: Mapping[str, Any], found: Mapping[str, Stored], path: Path) -> None:
    """Names and shapes of other networks are transformers' business; this is what the service needs."""
    names = (
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "max_position_embeddings",
    )
    for name in names:
        if type(config.get(name)) is not int or config[name] < 1:
            raise ModelUnusable(f"config.json in {path}: {name} must be a whole number above 0")
    for name in ("num_key_value_heads", "head_dim"):
        if config.get(name) is not None and (type(config[name]) is not int or config[name] < 1):
            raise ModelUnusable(f"config.json in {path}: {name} must be a whole number above 0")
    if config.get("quantization_config") is not None:
        raise ModelUnusable(f"{path} holds quantised weights; of this model type only float ones are served")
    other = sorted(name for name, tensor in found.items() if tensor.dtype not in layout.FLOATS)
    if other:
        raise ModelUnusable(f"{other[0]} in {path} is {found[other[0]].dtype}, not a float")


def _context(config: Mapping[str, Any]) -> int:
    """Within a sliding window, if there is one: inside it a network with one is like any other."""
    longest, window = int(config["max_position_embeddings"]), config.get("sliding_window")
    if isinstance(window, int) and window > 0 and config.get("use_sliding_window", True):
        return min(longest, window)
    return longest


def _cached_numbers(config: Mapping[str, Any]) -> int:
    heads = config["num_attention_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    return int(2 * config["num_hidden_layers"] * (config.get("num_key_value_heads") or heads) * size)
