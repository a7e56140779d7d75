"""Describes and checks a model folder without torch, for web process, engine and operator alike.

A folder is one as transformers saves it: config.json, a tokenizer, the weights (`model.safetensors`, or
several files with `model.safetensors.index.json`; of Grok-2, files for each rank), and perhaps grokweb.json:
{"slug", "name", "about", "is_demo", "titles", "chat_template"}. Only headers are read, so a folder of 600 GB
is checked in moments.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.base.lines import english
from inference.model_dir import grok1_tensors, grok2_tensors
from inference.model_dir import unsupported as wrongfolders
from inference.model_dir.grok2_tensors import GROK2
from inference.model_dir.headers import (
    ModelUnusable,
    Stored,
    json_object,
    read_headers,
    refuse_pointer,
    weight_files,
)
from inference.model_dir.sampling_defaults import sampling_defaults

__all__ = ["GROK1", "GROK2", "ModelFiles", "ModelUnusable", "describe"]

GROK1 = "grok1"
# The files that say how text becomes ids, by model type; of all other types it is STOCK_TOKENIZER.
TOKENIZERS = {GROK1: ("tokenizer.model",), GROK2: grok2_tensors.TOKENIZERS}
STOCK_TOKENIZER = "tokenizer.json"
# Where a configuration names no longest context, as those of state-space models.
UNNAMED_CONTEXT = 8_192
# Names of sizes in the configurations of older classes.
ALIASES = {
    "hidden_size": ("n_embd", "d_model"),
    "num_hidden_layers": ("n_layer", "n_layers"),
    "num_attention_heads": ("n_head", "n_heads"),
    "max_position_embeddings": ("n_positions", "max_seq_len", "n_ctx"),
}
# Tensors that are never int8: embedding, head and routers.
KEPT_FLOATS = re.compile(r"embed|lm_head|(^|\.)(router|gate|shared_expert_gate)\.")
# Projections whose outputs a token leaves in the cache: keys and values, or DeepSeek's latents of both.
CACHED_OUTPUTS = re.compile(r"\.(k_proj|v_proj|kv_a_proj_with_mqa)\.weight$")
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
    stored: Mapping[str, int]  # bytes by dtype ("F32", "BF16", "I8", ...), packed weights as bfloat16
    cached_numbers: int  # keys and values that one token leaves in the cache
    sampling: Mapping[str, float]  # fields of contract.Sampling that the folder sets
    kept_floats: int = 0  # parameters that stay floats where a folder is served in int8


def describe(path: Path) -> ModelFiles:
    """Checks a folder and returns what it is; raises ModelUnusable, with the cause and the next step."""
    path = Path(path)
    try:
        return _describe(path)
    except OSError as error:
        raise ModelUnusable(
            english(
                "%(folder)s cannot be read: %(why)s", folder=path, why=error.strerror or type(error).__name__
            )
        ) from error


def _describe(path: Path) -> ModelFiles:
    config = _config(path)
    tokenizer = _tokenizer_file(config["model_type"], path)
    if config["model_type"] == GROK2:
        shards = grok2_tensors.weight_files(path)
        found = grok2_tensors.whole_tensors(shards)
        grok2_tensors.check(config, found, path)
    else:
        shards = _shards(path)
        found = read_headers(shards)
    if config["model_type"] == GROK1:
        grok1_tensors.check(config, found, path)
    else:
        _check_other(config, found, path)
    loaded = {name: one for name, each in found.items() if (one := _as_loaded(name, each)) is not None}
    stored: dict[str, int] = {}
    for tensor in loaded.values():
        stored[tensor.dtype] = stored.get(tensor.dtype, 0) + tensor.bytes
    card = json_object(path / "grokweb.json") if (path / "grokweb.json").exists() else {}
    return ModelFiles(
        slug=_slug(card, path),
        name=str(card.get("name") or _folder_name(path)),
        context=_size(_of_text(config), "max_position_embeddings", UNNAMED_CONTEXT),
        is_demo=bool(card.get("is_demo", False)),
        about=str(card.get("about", "")),
        titles=bool(card.get("titles", not card.get("is_demo", False))),
        weight_bytes=sum(one.bytes for one in found.values()),
        model_type=config["model_type"],
        path=path,
        parameters=sum(one.numbers for name, one in loaded.items() if not name.endswith(grok1_tensors.SCALE)),
        kept_floats=sum(
            one.numbers for name, one in loaded.items() if len(one.shape) < 2 or KEPT_FLOATS.search(name)
        ),
        shards=shards,
        tokenizer=tokenizer,
        chat_template=str(card.get("chat_template", "grok1")),
        stored=stored,
        cached_numbers=_cached_numbers(_of_text(config), found),
        sampling=sampling_defaults(path),
    )


def _config(path: Path) -> dict[str, Any]:
    """Returns config.json of a folder whose kind is served."""
    if not path.exists():
        raise ModelUnusable(english("no model at %(folder)s: there is no such folder", folder=path))
    if not path.is_dir():
        wrongfolders.refuse_file(path)
    if not (path / "config.json").exists():
        wrongfolders.refuse_without_config(path)
    config = json_object(path / "config.json")
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or not model_type:
        raise ModelUnusable(f"config.json in {path}: model_type is {model_type!r}, not a name")
    if model_type != GROK1:
        wrongfolders.refuse_by_type(model_type, path)
        wrongfolders.quantised_as(_of_text(config), path)
    if grok2_tensors.is_grok2(config):
        config["model_type"] = GROK2
    return config


def _tokenizer_file(model_type: str, path: Path) -> str:
    """Returns the name of the file that says how text becomes ids."""
    known = TOKENIZERS.get(model_type, (STOCK_TOKENIZER,))
    tokenizer = next((name for name in known if (path / name).is_file()), "")
    if not tokenizer:
        others = [
            name for name in ("tokenizer.model", "vocab.json", "tekken.json") if (path / name).is_file()
        ]
        wanted = known[0]
        for name in known[1:]:
            wanted = english("%(first)s or %(second)s", first=wanted, second=name)
        if others:
            raise ModelUnusable(
                english(
                    "no %(wanted)s in %(folder)s: %(file)s alone is not read here; get %(wanted)s, too",
                    wanted=wanted,
                    folder=path,
                    file=others[0],
                )
            )
        raise ModelUnusable(english("no %(wanted)s in %(folder)s", wanted=wanted, folder=path))
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


def _as_loaded(name: str, tensor: Stored) -> Stored | None:
    """Returns a packed tensor as it is in memory, in bfloat16; None for the exponents of MXFP4."""
    if tensor.dtype == "U8":
        return Stored((2 * tensor.numbers, 1), "BF16") if name.endswith("_blocks") else None
    return Stored(tensor.shape, "BF16") if tensor.dtype.startswith("F8_") else tensor


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
    sizes = _of_text(config)
    names = ("vocab_size", "num_key_value_heads", "head_dim", *ALIASES, *itertools.chain(*ALIASES.values()))
    for name in names:
        if sizes.get(name) is not None and (type(sizes[name]) is not int or sizes[name] < 1):
            raise ModelUnusable(f"config.json in {path}: {name} must be a whole number above 0")
    _check_ends(config, path / "config.json")
    for name in READ_BY_TRANSFORMERS:
        if (path / name).exists():
            read = json_object(path / name)
            if name == "generation_config.json":
                _check_ends(read, path / name)
    method = wrongfolders.quantised_as(config, path)
    wrongfolders.refuse_numbers_other_than_floats(
        {name: one.dtype for name, one in found.items()}, path, method
    )


def _check_ends(config: Mapping[str, Any], file: Path) -> None:
    """Raises ModelUnusable unless the ids that begin and end a text are numbers."""
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        given = config.get(name)
        many = given if isinstance(given, list) and name == "eos_token_id" else [given]
        if any(each is not None and type(each) is not int for each in many):
            raise ModelUnusable(
                f"{file.name} in {file.parent}: {name} is {given!r}, not a token id (a number)"
            )


def _of_text(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the sizes of the language model; of one that also reads images they stand in a part."""
    part = config.get("text_config")
    return {**config, **part} if isinstance(part, dict) else config


def _size(sizes: Mapping[str, Any], name: str, otherwise: int) -> int:
    return next((sizes[one] for one in (name, *ALIASES[name]) if sizes.get(one) is not None), otherwise)


def _cached_numbers(sizes: Mapping[str, Any], found: Mapping[str, Stored]) -> int:
    """Returns what a token leaves in the cache: the outputs of the projections, or as many as keys and values
    have where a class has one projection for all."""
    outputs = sum(
        one.shape[0]
        for name, one in found.items()
        if CACHED_OUTPUTS.search(name) and "vision" not in name and one.shape
    )
    if outputs:
        return outputs
    hidden, heads = _size(sizes, "hidden_size", 1), _size(sizes, "num_attention_heads", 1)
    size = sizes.get("head_dim") or hidden // heads
    return int(2 * _size(sizes, "num_hidden_layers", 1) * (sizes.get("num_key_value_heads") or heads) * size)
