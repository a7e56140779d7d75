"""What lies in a model folder, checked without torch: web process, engine and operator all ask here.

A folder holds config.json, tokenizer.model, the weights (`model.safetensors`, or several files with
`model.safetensors.index.json`) and perhaps grokweb.json: {"slug", "name", "about", "is_demo",
"chat_template"}. Only headers are read, so a folder of 600 GB is checked in moments.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUPPORTED = ("grok1",)  # model types the local engine can serve
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
LONGEST_HEADER = 100_000_000  # safetensors' own limit
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# Beside the weights themselves: the interpreter, torch, a cache and room to work.
OVERHEAD_BYTES = 300 * 2**20


class ModelUnusable(ValueError):
    """A model folder that cannot be served; the message is one line for the operator."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model folder that looks whole."""

    slug: str  # lower-case a-z, 0-9 and "-"; names the queue "model.<slug>"
    name: str
    context: int  # longest prompt plus reply, in tokens
    is_demo: bool
    about: str
    weight_bytes: int  # on disk
    model_type: str
    path: Path
    parameters: int
    shards: tuple[Path, ...]
    chat_template: str


def describe(path: Path) -> ModelFiles:
    """Check a folder and say what it is; raises ModelUnusable."""
    path = Path(path)
    if not path.exists():
        raise ModelUnusable(f"no model at {path}: there is no such folder")
    if not path.is_dir():
        raise ModelUnusable(f"no model at {path}: it is a file; give the folder that holds config.json")
    config = _json_object(path / "config.json", "config.json")
    model_type = config.get("model_type")
    if model_type not in SUPPORTED:
        raise ModelUnusable(
            f"{path} holds a model of type {model_type!r}; supported for now: {', '.join(SUPPORTED)} (Grok-1)"
        )
    if not (path / "tokenizer.model").is_file():
        raise ModelUnusable(f"no tokenizer.model in {path}")
    shards = _shards(path)
    found: dict[str, tuple[tuple[int, ...], int]] = {}
    for shard in shards:
        found.update(_header(shard))
    _compare(_expected(config, path), {name: shape for name, (shape, _) in found.items()}, path)

    card = _json_object(path / "grokweb.json", "grokweb.json") if (path / "grokweb.json").exists() else {}
    slug = card.get("slug") or re.sub(r"[^a-z0-9]+", "-", path.resolve().name.lower()).strip("-") or "model"
    if not isinstance(slug, str) or len(slug) > 64 or not SLUG.fullmatch(slug):
        raise ModelUnusable(
            f"grokweb.json in {path}: slug {slug!r} must be a-z, 0-9 and single dashes, 64 at most"
        )
    return ModelFiles(
        slug=slug,
        name=str(card.get("name") or path.resolve().name),
        context=int(config["max_position_embeddings"]),
        is_demo=bool(card.get("is_demo", False)),
        about=str(card.get("about", "")),
        weight_bytes=sum(size for _, size in found.values()),
        model_type=model_type,
        path=path,
        parameters=sum(math.prod(shape) for shape, _ in found.values()),
        shards=shards,
        chat_template=str(card.get("chat_template", "grok1")),
    )


def ensure_memory(files: ModelFiles, bytes_per_weight: int = 4, free: int | None = None) -> None:
    """Refuse before loading what this machine cannot hold. (Not in `describe`: the web host holds none.)"""
    free = free_memory() if free is None else free
    needed = files.parameters * bytes_per_weight + OVERHEAD_BYTES
    if free is not None and needed > free:
        raise ModelUnusable(
            f"not enough memory for {files.name}: needs {_gb(needed)} GB, {_gb(free)} GB free"
        )


def free_memory() -> int | None:
    """Bytes a new process may use: the machine's, or this container's if less; None if nobody says."""
    bounds = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                bounds.append(int(line.split()[1]) * 1024)
    except (OSError, ValueError):
        pass
    try:
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            reclaimable = re.search(
                r"^inactive_file (\d+)$", (group / "memory.stat").read_text(), re.MULTILINE
            )
            used = int((group / "memory.current").read_text()) - (int(reclaimable[1]) if reclaimable else 0)
            bounds.append(max(0, int(limit) - used))
    except (OSError, ValueError):
        pass
    return min(bounds, default=None)


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f}"


def _json_object(file: Path, name: str) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelUnusable(f"no readable {name} in {file.parent}") from error
    except ValueError as error:
        raise ModelUnusable(f"{name} in {file.parent} is not JSON (half-written?)") from error
    if not isinstance(value, dict):
        raise ModelUnusable(f"{name} in {file.parent} is not a JSON object")
    return value


def _shards(path: Path) -> tuple[Path, ...]:
    """The weight files; names in an index stay inside the folder."""
    if (path / "model.safetensors").is_file():
        return (path / "model.safetensors",)
    if not (path / "model.safetensors.index.json").is_file():
        raise ModelUnusable(f"no model.safetensors in {path}")
    index = _json_object(path / "model.safetensors.index.json", "model.safetensors.index.json")
    places = index.get("weight_map")
    names = sorted({str(name) for name in places.values()}) if isinstance(places, dict) else []
    if not names or any(name != Path(name).name for name in names):
        raise ModelUnusable(f"model.safetensors.index.json in {path} names no weight files of this folder")
    missing = [name for name in names if not (path / name).is_file()]
    if missing:
        raise ModelUnusable(
            f"{len(missing)} of {len(names)} weight files are missing in {path}: {missing[0]}"
        )
    return tuple(path / name for name in names)


def _header(file: Path) -> dict[str, tuple[tuple[int, ...], int]]:
    """Name -> shape and bytes of every tensor; the file's length must be what its header says."""
    size = file.stat().st_size
    broken = f"{file.name} in {file.parent} is damaged or half-written"
    try:
        with file.open("rb") as data:
            (length,) = struct.unpack("<Q", data.read(8))
            if length > min(size - 8, LONGEST_HEADER):
                raise ModelUnusable(f"{broken}: its header is longer than the file")
            entries = json.loads(data.read(length))
        entries.pop("__metadata__", None)
        found, end = {}, 0
        for name, entry in entries.items():
            shape, (first, last) = tuple(int(n) for n in entry["shape"]), entry["data_offsets"]
            if last - first != math.prod(shape) * BYTES[entry["dtype"]]:
                raise ModelUnusable(f"{broken}: {name} has {last - first} bytes for shape {list(shape)}")
            found[name], end = (shape, last - first), max(end, last)
    except OSError as error:
        raise ModelUnusable(f"{file.name} in {file.parent} cannot be read: {error.strerror}") from error
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ModelUnusable):
            raise
        raise ModelUnusable(f"{broken}: its header cannot be read") from error
    if 8 + length + end != size:
        raise ModelUnusable(f"{broken}: {size:,} bytes, its header promises {8 + length + end:,}")
    return found


def _expected(config: dict[str, Any], path: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor of a Grok-1 network of these sizes (the names are those of grok1/model.py)."""
    names = (
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "num_local_experts",
        "num_experts_per_tok",
        "max_position_embeddings",
    )
    for name in names:
        if not isinstance(config.get(name), int) or config[name] < 1:
            raise ModelUnusable(f"config.json in {path}: {name} must be a whole number above 0")
    h, i, e = config["hidden_size"], config["intermediate_size"], config["num_local_experts"]
    wide = config["num_attention_heads"] * config["head_dim"]
    narrow = config["num_key_value_heads"] * config["head_dim"]
    yield "model.embed_tokens.weight", (config["vocab_size"], h)
    yield "model.norm.weight", (h,)
    for layer in range(config["num_hidden_layers"]):
        start = f"model.layers.{layer}"
        for part, shape in (("q", (wide, h)), ("k", (narrow, h)), ("v", (narrow, h)), ("o", (h, wide))):
            yield f"{start}.self_attn.{part}_proj.weight", shape
        yield f"{start}.moe.router.weight", (e, h)
        yield f"{start}.moe.experts.gate_up_proj", (e, 2 * i, h)
        yield f"{start}.moe.experts.down_proj", (e, h, i)
        for norm in range(4):
            yield f"{start}.norm{norm}.weight", (h,)


def _compare(
    expected: Iterator[tuple[str, tuple[int, ...]]], found: dict[str, tuple[int, ...]], path: Path
) -> None:
    wanted = dict(expected)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ModelUnusable(f"{len(missing)} of {len(wanted)} tensors are missing in {path}: {missing[0]}")
    for name, shape in wanted.items():
        if found[name] != shape:
            raise ModelUnusable(
                f"{name} in {path} is {list(found[name])}, config.json asks for {list(shape)}"
            )
    extra = sorted(found.keys() - wanted.keys())
    if extra:
        raise ModelUnusable(f"{path} holds tensors that are no part of Grok-1: {extra[0]}")
