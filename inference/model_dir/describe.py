"""Describes and checks a model folder without torch, for web process, engine and operator alike.

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

from inference.model_dir import grok1_tensors
from inference.model_dir import unsupported as wrongfolders
from inference.model_dir.headers import (
    ModelUnusable,
    Stored,
    json_object,
    read_headers,
    refuse_pointer,
    weight_files,
)
from inference.model_dir.sampling_defaults import sampling_defaults

__all__ = ["GROK1", "SUPPORTED", "ModelFiles", "ModelUnusable", "describe"]

GROK1 = "grok1"
# The tokenizer files of which a folder must hold one, by model type. Ours is SentencePiece alone.
SUPPORTED = {
    GROK1: ("tokenizer.model",),
    "mixtral": ("tokenizer.json",),
    "olmoe": ("tokenizer.json",),
    "qwen2_moe": ("tokenizer.json",),
    "qwen3_moe": ("tokenizer.json",),
    "granitemoe": ("tokenizer.json",),
}
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LONGEST_SLUG = 64
# What transformers reads beside config.json and the weights, where it is there.
READ_BY_TRANSFORMERS = (
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.json",
)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model folder that passed the checks."""

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
    sampling: Mapping[str, float]  # fields of contract.Sampling that the folder sets


def describe(path: Path) -> ModelFiles:
    """Checks a folder and returns what it is; raises ModelUnusable, with the cause and the next step."""
    path = Path(path)
    try:
        return _describe(path)
    except OSError as error:
        raise ModelUnusable(f"{path} cannot be read: {error.strerror or type(error).__name__}") from error


def _describe(path: Path) -> ModelFiles:
    config = _config(path)
    tokenizer = _tokenizer_file(config["model_type"], path)
    shards = _shards(path)
    found = read_headers(shards)
    if config["model_type"] == GROK1:
        grok1_tensors.check(config, found, path)
    else:
        _check_other(config, found, path)
    stored: dict[str, int] = {}
    for tensor in found.values():
        stored[tensor.dtype] = stored.get(tensor.dtype, 0) + tensor.bytes
    card = json_object(path / "grokweb.json") if (path / "grokweb.json").exists() else {}
    return ModelFiles(
        slug=_slug(card, path),
        name=str(card.get("name") or _folder_name(path)),
        context=_context(config),
        is_demo=bool(card.get("is_demo", False)),
        about=str(card.get("about", "")),
        titles=bool(card.get("titles", not card.get("is_demo", False))),
        weight_bytes=sum(stored.values()),
        model_type=config["model_type"],
        path=path,
        parameters=sum(one.numbers for name, one in found.items() if not name.endswith(grok1_tensors.SCALE)),
        shards=shards,
        tokenizer=tokenizer,
        chat_template=str(card.get("chat_template", "grok1")),
        stored=stored,
        cached_numbers=_cached_numbers(config),
        sampling=sampling_defaults(path),
    )


def _config(path: Path) -> dict[str, Any]:
    """Returns config.json of a folder whose kind is served."""
    if not path.exists():
        raise ModelUnusable(f"no model at {path}: there is no such folder")
    if not path.is_dir():
        wrongfolders.refuse_file(path)
    if not (path / "config.json").exists():
        wrongfolders.refuse_without_config(path)
    config = json_object(path / "config.json")
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in SUPPORTED:
        raise ModelUnusable(f"{path} holds a model of type {model_type!r}; supported: {', '.join(SUPPORTED)}")
    if model_type != GROK1:
        wrongfolders.refuse_quantised(config, path)
    return config


def _tokenizer_file(model_type: str, path: Path) -> str:
    """Returns the name of the file that says how text becomes ids."""
    tokenizer = next((name for name in SUPPORTED[model_type] if (path / name).is_file()), None)
    if tokenizer is None:
        expected = " or ".join(SUPPORTED[model_type])
        others = [
            name for name in ("tokenizer.model", "vocab.json", "tekken.json") if (path / name).is_file()
        ]
        rest = f": {others[0]} alone is not read here; get {expected}, too" if others else ""
        raise ModelUnusable(f"no {expected} in {path}{rest}")
    for name in (tokenizer, "chat_template.jinja"):
        if (path / name).is_file():
            refuse_pointer(path / name)
    return tokenizer


def _shards(path: Path) -> tuple[Path, ...]:
    try:
        return weight_files(path)
    except ModelUnusable as error:
        if (path / "adapter_config.json").is_file() and str(error).startswith("no "):
            raise ModelUnusable(wrongfolders.adapter_words(path)) from error
        raise


def _folder_name(path: Path) -> str:
    return wrongfolders.cached_name(path) or path.resolve().name


def _slug(card: Mapping[str, Any], path: Path) -> str:
    if not card.get("slug"):
        derived = re.sub(r"[^a-z0-9]+", "-", _folder_name(path).lower()).strip("-")
        return derived[:LONGEST_SLUG].strip("-") or "model"
    slug = card["slug"]
    if not isinstance(slug, str) or len(slug) > LONGEST_SLUG or not SLUG.fullmatch(slug):
        raise ModelUnusable(
            f"grokweb.json in {path}: slug {slug!r} must be a-z, 0-9 and single dashes, "
            f"{LONGEST_SLUG} at most"
        )
    return slug


def _check_other(config: Mapping[str, Any], found: Mapping[str, Stored], path: Path) -> None:
    """Checks what the service needs of other networks; transformers checks names and shapes."""
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
    _check_ends(config, path / "config.json")
    for name in READ_BY_TRANSFORMERS:
        if (path / name).exists():
            read = json_object(path / name)
            if name == "generation_config.json":
                _check_ends(read, path / name)
    wrongfolders.refuse_numbers_other_than_floats({name: one.dtype for name, one in found.items()}, path)


def _check_ends(config: Mapping[str, Any], file: Path) -> None:
    """Raises ModelUnusable unless the ids that begin and end a text are numbers."""
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        given = config.get(name)
        many = given if isinstance(given, list) and name == "eos_token_id" else [given]
        if any(each is not None and type(each) is not int for each in many):
            raise ModelUnusable(
                f"{file.name} in {file.parent}: {name} is {given!r}, not a token id (a number)"
            )


def _context(config: Mapping[str, Any]) -> int:
    """Returns the context, at most a sliding window: within it such a network is like any other."""
    longest, window = int(config["max_position_embeddings"]), config.get("sliding_window")
    if isinstance(window, int) and window > 0 and config.get("use_sliding_window", True):
        return min(longest, window)
    return longest


def _cached_numbers(config: Mapping[str, Any]) -> int:
    heads = config["num_attention_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    return int(2 * config["num_hidden_layers"] * (config.get("num_key_value_heads") or heads) * size)
