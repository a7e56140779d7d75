"""Lists the tensors of a Grok-1 folder by its config.json: names, shapes, dtypes. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from inference.model_dir.headers import ModelUnusable, Stored

INT8 = "grokweb_int8"  # quant_method of a folder whose projections and experts are int8 (networks/int8.py)
SCALE = "_scale"  # the name of an int8 tensor + this: its scales
FLOATS = ("F32", "BF16", "F16")
SCALES = ("BF16", "F32")
WHOLE_NUMBERS = (
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


class Wanted(NamedTuple):
    name: str
    shape: tuple[int, ...]
    matrix: bool  # a projection or the experts: int8 in an int8 folder


def tensors_of(config: Mapping[str, Any], path: Path) -> Iterator[Wanted]:
    """Yields every tensor of a Grok-1 network of these sizes (the names are those of grok1/model.py)."""
    for name in WHOLE_NUMBERS:
        if type(config.get(name)) is not int or config[name] < 1:
            raise ModelUnusable(f"config.json in {path}: {name} must be a whole number above 0")
    h, i, e = config["hidden_size"], config["intermediate_size"], config["num_local_experts"]
    wide = config["num_attention_heads"] * config["head_dim"]
    narrow = config["num_key_value_heads"] * config["head_dim"]
    yield Wanted("model.embed_tokens.weight", (config["vocab_size"], h), False)
    yield Wanted("model.norm.weight", (h,), False)
    for layer in range(config["num_hidden_layers"]):
        start = f"model.layers.{layer}"
        for part, shape in (("q", (wide, h)), ("k", (narrow, h)), ("v", (narrow, h)), ("o", (h, wide))):
            yield Wanted(f"{start}.self_attn.{part}_proj.weight", shape, True)
        yield Wanted(f"{start}.moe.router.weight", (e, h), False)
        yield Wanted(f"{start}.moe.experts.gate_up_proj", (e, 2 * i, h), True)
        yield Wanted(f"{start}.moe.experts.down_proj", (e, h, i), True)
        for norm in range(4):
            yield Wanted(f"{start}.norm{norm}.weight", (h,), False)


def is_int8(config: Mapping[str, Any], path: Path) -> bool:
    """Returns whether config.json announces int8 weights of ours; another quantisation is refused."""
    given = config.get("quantization_config")
    if given is None:
        return False
    method = given.get("quant_method") if isinstance(given, dict) else given
    if method != INT8:
        raise ModelUnusable(f"config.json in {path}: weights quantised as {method!r}; there is {INT8!r}")
    return True


def check(config: Mapping[str, Any], found: Mapping[str, Stored], path: Path) -> None:
    """Refuses a folder that holds anything but exactly the tensors of its config.json."""
    expected = list(tensors_of(config, path))
    int8 = is_int8(config, path)
    names = [one.name for one in expected]
    names += [one.name + SCALE for one in expected if int8 and one.matrix]
    missing = [name for name in names if name not in found]
    if missing:
        raise ModelUnusable(f"{len(missing)} of {len(names)} tensors are missing in {path}: {missing[0]}")
    for one in expected:
        stored = found[one.name]
        if stored.shape != one.shape:
            raise ModelUnusable(
                f"{one.name} in {path} is {list(stored.shape)}, config.json asks for {list(one.shape)}"
            )
        dtypes = ("I8",) if int8 and one.matrix else FLOATS
        if stored.dtype not in dtypes:
            raise ModelUnusable(f"{one.name} in {path} is {stored.dtype}, not {' or '.join(dtypes)}")
        if int8 and one.matrix:
            _check_scale(one, found[one.name + SCALE], path)
    extra = sorted(found.keys() - set(names))
    if extra:
        raise ModelUnusable(f"{path} holds tensors that are no part of Grok-1: {extra[0]}")


def _check_scale(one: Wanted, scale: Stored, path: Path) -> None:
    """Checks that scales are [..., out, G] for weights [..., out, in], where G divides in."""
    *rows, inputs = one.shape
    fits = scale.shape[:-1] == tuple(rows) and scale.shape[-1] > 0 and inputs % scale.shape[-1] == 0
    if not fits or scale.dtype not in SCALES:
        raise ModelUnusable(
            f"{one.name}{SCALE} in {path} is {scale.dtype} {list(scale.shape)}: "
            f"no scales for {list(one.shape)}"
        )
