"""Loads the network of a folder into a class of transformers, from safetensors alone, running no code.

The network is made with memory that nothing has touched, and each tensor of the files is read into its place,
or made int8 there: parts of merged tensors, such as the experts of a layer, are views of them. So nothing is
in memory twice but what is read at once. transformers' own table says what is merged; where it does more than
merging, its own loader is used, which needs up to twice the memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM
from transformers.initialization import no_init_weights

from inference.hf_models.configs import load_config
from inference.hf_models.frequencies import fix_frequencies
from inference.hf_models.int8 import Destination, make_int8, store
from inference.hf_models.packed import FP8_BLOCK, Reader, logical
from inference.hf_models.tensors import check_tensors, names_in_files
from inference.model_dir.admission import INT8, admit, serving_dtype
from inference.model_dir.describe import ModelFiles, ModelUnusable
from inference.model_dir.headers import Stored, first_line, read_headers


def load_model(path: Path, *, slots: int, device: str = "cpu", context: int = 0, dtype: str = "") -> Any:
    """Returns the network of a folder, or raises ModelUnusable.

    `dtype`: "float32", "bfloat16" or "int8" (matrices; the rest in floats); by default that of the folder.
    """
    free = torch.cuda.mem_get_info()[0] if device == "cuda" else None
    files = admit(path, slots, dtype, free=free, context=context)
    config = load_config(files.path)
    raw = read_headers(files.shards)
    found = logical(raw)
    check_tensors(config, found, files.path)
    floats = getattr(torch, serving_dtype(files) if dtype in ("", INT8) else dtype)
    try:
        model = _empty(config, floats, device)
        int8 = make_int8(model) if dtype == INT8 else {}
        if not _fill(model, int8, found, files):
            if int8 or found != raw:
                raise ModelUnusable(f"the weights in {files.path} cannot be converted as they are loaded")
            model = _through_transformers(files, floats).to(device)
    except ModelUnusable:
        raise
    except Exception as error:  # transformers raises errors of many kinds
        raise ModelUnusable(f"{files.path} cannot be loaded: {first_line(error)}") from error
    model.eval().requires_grad_(False)
    fix_frequencies(model, files.context)
    return model


def _empty(config: Any, dtype: torch.dtype, device: str) -> Any:
    """Returns the network with parameters that hold nothing yet, and buffers as computed."""
    maker: Any = AutoModelForCausalLM
    with no_init_weights(), torch.device(device):
        model = maker.from_config(config, dtype=dtype, trust_remote_code=False)
    model.requires_grad_(False)
    exact = set(model._keep_in_fp32_modules_strict or ()) if dtype != torch.float32 else set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if exact & set(name.split(".")):
            tensor.data = tensor.data.float()
    return model


@torch.no_grad()
def _fill(
    model: Any, int8: Mapping[str, Destination], found: Mapping[str, Stored], files: ModelFiles
) -> bool:
    """Copies the tensors of the files into the network; returns False if some parts are no views of it."""
    state = {
        name: tensor for name, tensor in model.state_dict().items() if name not in model.all_tied_weights_keys
    }
    for name in int8:
        state.pop(f"{name}_scale", None)
    values = names_in_files(model, state | {name: one.values for name, one in int8.items()}, found)
    scales = (
        names_in_files(model, state | {name: one.scale for name, one in int8.items()}, found)
        if int8
        else values
    )
    owned = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    if any(view.untyped_storage().data_ptr() not in owned for view in (*values.values(), *scales.values())):
        return False
    reader = Reader(files.shards, _block_size(model.config))
    for name, view in values.items():
        if view.dtype != torch.int8 and not reader.is_packed(name):
            reader.fill(name, view)
            continue
        for index, part in reader.parts(name, whole_matrices=_shares_scales(scales[name])):
            _put(part, view[index], scales[name][index])
    model.tie_weights()
    return True


def _block_size(config: Any) -> Sequence[int]:
    given = getattr(config, "quantization_config", None) or {}
    return given.get("weight_block_size") or FP8_BLOCK


def _shares_scales(scale: Tensor) -> bool:
    """Returns whether the rows of a matrix share its scales, as where a class has its experts transposed."""
    return scale.dim() > 1 and scale.stride(-2) == 0


def _put(floats: Tensor, place: Tensor, scale: Tensor) -> None:
    if place.dtype == torch.int8:
        store(floats, place, scale)
    else:
        place.copy_(floats)


def _through_transformers(files: ModelFiles, dtype: torch.dtype) -> Any:
    loader: Any = AutoModelForCausalLM
    model, loading = loader.from_pretrained(
        files.path,
        dtype=dtype,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
    )
    missing = sorted(loading["missing_keys"])
    if missing:
        raise ModelUnusable(f"{len(missing)} tensors are missing in {files.path}: {missing[0]}")
    return model
