"""Lists the files and tensors of a Grok-2 folder as xAI publishes it. No torch.

The release is divided by tensor-parallel rank: `NAME-TP-common.safetensors` holds whole tensors, and
`NAME-TP-000.safetensors` to `NAME-TP-007.safetensors` hold an eighth each of the same tensors (of every
expert a slice of its inner width). There is no index. `inference/grok2/__init__.py` says where this is from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inference.model_dir.grok1_tensors import FLOATS
from inference.model_dir.headers import ModelUnusable, Stored, read_headers

GROK2 = "grok2"  # the model type here; the release's config.json has that of another network
ARCHITECTURES = {"Grok1ForCausalLM", "Grok1ModelForCausalLM"}
TOKENIZERS = ("tokenizer.json", "tokenizer.tok.json")  # the latter is xAI's own; the first found is read
RANKS = 8
FILE = re.compile(r"(?P<stem>.+-TP-)(?P<rank>common|\d{3})\.safetensors")
# The number of the release's file for each kind of tensor, to name a missing one.
NUMBERS = {
    kind: number
    for number, kind in enumerate(
        (
            *("embed_tokens", "lm_head", "norm"),
            *("gate_proj", "down_proj", "up_proj"),
            *("w1", "w2", "w3"),
            *("k_proj", "o_proj", "q_proj", "v_proj"),
            *("pre_attn_norm", "post_attn_norm", "pre_moe_norm", "post_moe_norm"),
            "gate",
        )
    )
}
EXPERT_KINDS = {"w1", "w2", "w3"}  # the release divides only these
# Where the parts of a tensor are joined: outputs (rows) or inputs (columns).
AXES = {
    **dict.fromkeys(("embed_tokens", "lm_head", "gate_proj", "up_proj", "w1", "w3"), 0),
    **dict.fromkeys(("q_proj", "k_proj", "v_proj"), 0),
    **dict.fromkeys(("down_proj", "o_proj", "w2"), 1),
}
WHOLE_NUMBERS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "moe_intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "num_local_experts",
    "num_experts_per_tok",
    "max_position_embeddings",
)
FACTORS = (
    "embedding_multiplier_scale",
    "output_multiplier_scale",
    "attn_logit_softcapping",
    "router_logit_softcapping",
    "final_logit_softcapping",
    "rms_norm_eps",
    "rope_theta",
)
# Values that leave the network as it is computed here; xAI's class has others that no release uses.
UNCHANGED: dict[str, tuple[Any, ...]] = {
    "rope_type": (None, "original"),
    "rope_rotate_half_dims": (None, False),
    "attn_logit_softcapping_method": (None, "tanh"),
    "sliding_window_size": (None, -1),
    "tie_word_embeddings": (None, False),
}


def is_grok2(config: Mapping[str, Any]) -> bool:
    """Returns whether config.json describes a Grok-2: xAI's class with a dense network beside its experts."""
    named = config.get("architectures")
    return (
        isinstance(named, list)
        and any(isinstance(name, str) and name in ARCHITECTURES for name in named)
        and config.get("residual_moe") is True
    )


def weight_files(path: Path) -> tuple[Path, ...]:
    """Returns the weight files of a folder; ModelUnusable names those that are missing."""
    return tuple(path / name for name in weight_names((file.name for file in path.iterdir()), str(path)))


def weight_names(names: Iterable[str], where: str) -> list[str]:
    """Returns those of a folder's or a repository's files that are the weights, in order; ModelUnusable says
    which are missing in `where`."""
    ranks: dict[str, set[str]] = {}
    for name in names:
        if (named := FILE.fullmatch(name)) is not None:
            ranks.setdefault(named["stem"], set()).add(named["rank"])
    if not ranks:
        raise ModelUnusable(
            f"no weights of Grok-2 in {where}: the files of the release end with -TP-common.safetensors "
            "and -TP-000.safetensors to -TP-007.safetensors"
        )
    every = {f"{rank:03}" for rank in range(RANKS)}
    missing, other = [], []
    for stem, found in sorted(ranks.items()):
        parts = found - {"common"}
        missing += [f"{stem}{rank}.safetensors" for rank in sorted(every - parts)] if parts else []
        other += [f"{stem}{rank}.safetensors" for rank in sorted(parts - every)]
    if other:
        raise ModelUnusable(
            f"{other[0]} in {where}: the weights are divided among more than {RANKS} ranks, which is not read"
        )
    if missing:
        raise ModelUnusable(f"{_count(missing, 'weight file')} missing in {where}: {', '.join(missing[:3])}")
    return [f"{stem}{rank}.safetensors" for stem, found in sorted(ranks.items()) for rank in sorted(found)]


def places(files: Sequence[Path]) -> dict[str, list[Path]]:
    """Returns the file of each tensor, or the files of its parts, by rank. Raises ModelUnusable."""
    found: dict[str, list[Path]] = {}
    for file in sorted(files):
        for name in read_headers((file,)):
            found.setdefault(name, []).append(file)
    for name, among in found.items():
        stems = {file.name.rpartition("-TP-")[0] for file in among}
        common = any(file.name.endswith("-TP-common.safetensors") for file in among)
        if len(among) > 1 and (common or len(stems) > 1):
            raise ModelUnusable(
                f"{name} lies in two weight files of {among[0].parent}: {among[0].name} and {among[1].name}"
            )
        if not common and len(among) < RANKS:
            raise ModelUnusable(f"{name} lies in {len(among)} of {RANKS} files of {among[0].parent}")
        if len(among) > 1 and axis_of(name) is None:
            raise ModelUnusable(f"{name} in {among[0].parent} is divided among ranks; it must be whole")
    return found


def axis_of(name: str) -> int | None:
    """Returns the dimension in which the parts of a tensor are joined; None for one that is never divided."""
    return AXES.get(_kind(name))


def whole_tensors(files: Sequence[Path]) -> dict[str, Stored]:
    """Returns every tensor by name, as it is once its parts are joined."""
    headers = {file: read_headers((file,)) for file in files}
    return {
        name: _joined(name, [headers[file][name] for file in among]) for name, among in places(files).items()
    }


def _joined(name: str, parts: Sequence[Stored]) -> Stored:
    shape = list(parts[0].shape)
    if len(parts) == 1:
        return parts[0]
    axis = axis_of(name) or 0
    if len(set(parts)) > 1 or len(shape) != 2:
        raise ModelUnusable(f"the parts of {name} differ in shape or dtype: {parts[0]} and others")
    shape[axis] *= len(parts)
    return Stored(tuple(shape), parts[0].dtype)


def tensors_of(config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yields name and shape of every tensor of the network of a checked config.json."""
    h, dense, inner = (config[f"{name}_size"] for name in ("hidden", "intermediate", "moe_intermediate"))
    wide = config["num_attention_heads"] * config["head_dim"]
    narrow = config["num_key_value_heads"] * config["head_dim"]
    yield "model.embed_tokens.weight", (config["vocab_size"], h)
    yield "lm_head.weight", (config["vocab_size"], h)
    yield "model.norm.weight", (h,)
    for layer in range(config["num_hidden_layers"]):
        start = f"model.layers.{layer}"
        for part, shape in (("q", (wide, h)), ("k", (narrow, h)), ("v", (narrow, h)), ("o", (h, wide))):
            yield f"{start}.self_attn.{part}_proj.weight", shape
        for part, shape in (("gate", (dense, h)), ("up", (dense, h)), ("down", (h, dense))):
            yield f"{start}.mlp.{part}_proj.weight", shape
        yield f"{start}.block_sparse_moe.gate.weight", (config["num_local_experts"], h)
        for expert in range(config["num_local_experts"]):
            for part, shape in (("w1", (inner, h)), ("w3", (inner, h)), ("w2", (h, inner))):
                yield f"{start}.block_sparse_moe.experts.{expert}.{part}.weight", shape
        for norm in ("pre_attn", "post_attn", "pre_moe", "post_moe"):
            yield f"{start}.{norm}_norm.weight", (h,)


def check(config: Mapping[str, Any], found: Mapping[str, Stored], path: Path) -> None:
    """Refuses a folder that holds anything but exactly the tensors of its config.json."""
    check_config(config, path)
    wanted = dict(tensors_of(config))
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ModelUnusable(
            f"{_count(missing, 'tensor', len(wanted))} missing in {path}: {missing[0]}, which the release "
            f"has in {_released_file(missing[0])}"
        )
    for name, shape in wanted.items():
        stored = found[name]
        if stored.shape != shape:
            raise ModelUnusable(
                f"{name} in {path} is {list(stored.shape)}, config.json asks for {list(shape)}"
            )
        if stored.dtype not in FLOATS:
            raise ModelUnusable(f"{name} in {path} is {stored.dtype}, not {' or '.join(FLOATS)}")
    extra = sorted(found.keys() - wanted.keys())
    if extra:
        raise ModelUnusable(f"{path} holds tensors that are no part of this Grok-2: {extra[0]}")


def check_config(config: Mapping[str, Any], path: Path) -> None:
    """Raises ModelUnusable for values that are no network, or one that is not computed here."""
    for name in WHOLE_NUMBERS:
        if type(config.get(name)) is not int or config[name] < 1:
            raise ModelUnusable(f"config.json in {path}: {name} must be a whole number above 0")
    for name in FACTORS:
        if type(config.get(name)) not in (int, float) or not 0 < config[name] < float("inf"):
            raise ModelUnusable(f"config.json in {path}: {name} must be a number above 0")
    length = config.get("attn_temperature_len")
    if length is not None and type(length) is not int:
        raise ModelUnusable(f"config.json in {path}: attn_temperature_len must be a whole number")
    for name, values in UNCHANGED.items():
        if config.get(name) not in values:
            raise ModelUnusable(
                f"config.json in {path}: {name} is {config[name]!r}; Grok-2 is computed here only with "
                f"{values[-1]!r}"
            )
    for whole, part in (("num_attention_heads", "num_key_value_heads"), ("head_dim", "")):
        divisor = config[part] if part else 2
        if config[whole] % divisor:
            raise ModelUnusable(
                f"config.json in {path}: {whole} ({config[whole]}) must be a multiple of {part or 2}"
            )
    if config["num_experts_per_tok"] > config["num_local_experts"]:
        raise ModelUnusable(f"config.json in {path}: num_experts_per_tok is above num_local_experts")


def _kind(name: str) -> str:
    return name.removesuffix(".weight").rpartition(".")[2]


def _released_file(name: str) -> str:
    kind = _kind(name)
    rank = "000 to 007" if kind in EXPERT_KINDS else "common"
    return f"pytorch_model-{NUMBERS[kind]:05}-TP-{rank}.safetensors"


def _count(missing: Sequence[str], thing: str, among: int = 0) -> str:
    """Returns "1 weight file is", "2 of 50 tensors are"."""
    number = f"{len(missing)} of {among}" if among else str(len(missing))
    one = len(missing) == 1 and not among
    return f"{number} {thing}{'' if one else 's'} {'is' if len(missing) == 1 else 'are'}"
