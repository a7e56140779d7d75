"""Loads the network of a Grok-2 folder: parts of ranks are joined, one tensor at a time, running no code.

The network is made with memory that nothing has touched, and each tensor of the files is joined from its
parts and copied into its place, or made int8 there: w1, w3 and w2 of an expert are views of the merged
tensors of a layer. So nothing is in memory twice but one matrix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from transformers.initialization import no_init_weights

from inference.grok2.config import load_config
from inference.grok2.model import Grok2ForCausalLM
from inference.hf_models.int8 import make_int8, store
from inference.model_dir.admission import INT8, admit, serving_dtype
from inference.model_dir.describe import ModelUnusable
from inference.model_dir.grok2_tensors import axis_of, places
from inference.model_dir.headers import first_line

EXPERT = re.compile(r"(?P<layer>.+\.block_sparse_moe\.experts)\.(?P<number>\d+)\.(?P<part>w[123])\.weight")


def load_model(
    path: Path, *, slots: int, device: str = "cpu", context: int = 0, dtype: str = ""
) -> Grok2ForCausalLM:
    """Returns the network of a folder, or raises ModelUnusable.

    `dtype`: "float32", "bfloat16" or "int8" (matrices; the rest in floats); by default that of the folder.
    """
    free = torch.cuda.mem_get_info()[0] if device == "cuda" else None
    files = admit(path, slots, dtype, free=free, context=context)
    floats = getattr(torch, serving_dtype(files) if dtype in ("", INT8) else dtype)
    try:
        model = _empty(path, floats, device)
        int8 = make_int8(model) if dtype == INT8 else {}
        values: dict[str, Tensor] = {**model.state_dict(), **{name: one.values for name, one in int8.items()}}
        scales = {name: one.scale for name, one in int8.items()}
        with torch.no_grad():
            for name, among in places(files.shards).items():
                _put(_read(name, among), name, values, scales)
    except ModelUnusable:
        raise
    except Exception as error:  # torch and safetensors raise errors of many kinds
        raise ModelUnusable(f"{path} cannot be loaded: {first_line(error)}") from error
    return model.eval().requires_grad_(False)  # type: ignore[no-any-return, no-untyped-call]


def _empty(path: Path, dtype: torch.dtype, device: str) -> Grok2ForCausalLM:
    """Returns the network with parameters that hold nothing yet; router and norms are float32."""
    with no_init_weights(), torch.device(device):
        model: Grok2ForCausalLM = Grok2ForCausalLM._from_config(  # type: ignore[no-untyped-call]
            load_config(path), dtype=dtype
        )
    model.requires_grad_(False)
    exact = set(model._keep_in_fp32_modules_strict)
    for name, tensor in model.state_dict(keep_vars=True).items():
        if exact & set(name.split(".")):
            tensor.data = tensor.data.float()
    return model


def _read(name: str, among: Sequence[Path]) -> Tensor:
    """Returns a tensor, joined from the files of its ranks. Each is opened for it alone, so that its pages
    leave the memory with it."""
    parts = []
    for file in among:
        with safe_open(file, framework="pt", device="cpu") as tensors:
            parts.append(tensors.get_tensor(name))
    return parts[0] if len(parts) == 1 else torch.cat(parts, axis_of(name) or 0)


def _put(tensor: Tensor, name: str, values: Mapping[str, Tensor], scales: Mapping[str, Tensor]) -> None:
    home, place = _home(name, values)
    if home in scales:
        store(tensor, place, _home(name, scales)[1])
    else:
        place.copy_(tensor)


def _home(name: str, tensors: Mapping[str, Tensor]) -> tuple[str, Tensor]:
    """Returns the name in the class of the tensor that a released one is a part of, and that part."""
    expert = EXPERT.fullmatch(name)
    if expert is None:
        return name, tensors[name]
    merged = f"{expert['layer']}.{'down_proj' if expert['part'] == 'w2' else 'gate_up_proj'}"
    matrix = tensors[merged][int(expert["number"])]
    if expert["part"] == "w2":
        return merged, matrix
    return merged, matrix.chunk(2)[0 if expert["part"] == "w1" else 1]
