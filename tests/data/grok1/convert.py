"""Converts the small reference checkpoint (134 pickles in xAI's layout) to the model folder beside this file.

Run once, from the repository root: `python -m tests.data.grok1.convert FOLDER_OF_THE_CHECKPOINT`.
Only the two kinds of object the reference holds can be built while reading: a numpy array, and int8 weights
with bfloat16 scales. The product is int8 * scale, unrounded, in float32. The operator's importer for the real
release is another, stricter program; this one serves the tests alone.
"""

from __future__ import annotations

import io
import json
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import torch
from safetensors.torch import save_file

from inference.grok1.config import Grok1Config

HERE = Path(__file__).parent


class Quantized:
    """Stands in for `__main__.QuantizedWeight8bit`."""

    weight: np.ndarray
    scales: np.ndarray


ALLOWED: dict[tuple[str, str], Any] = {
    ("__main__", "QuantizedWeight8bit"): Quantized,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("ml_dtypes", "bfloat16"): ml_dtypes.bfloat16,
}
for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    ALLOWED[module, "_reconstruct"] = np._core.multiarray._reconstruct
    ALLOWED[module, "scalar"] = np._core.multiarray.scalar
for module in ("numpy.core.numeric", "numpy._core.numeric"):
    ALLOWED[module, "_frombuffer"] = np._core.numeric._frombuffer


class Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return ALLOWED[module, name]


def layer_order(layers: int) -> list[int]:
    """Returns which layer the files describe, twelve after twelve: 0, 1, 10, 2, ... (sorted as strings)."""
    return sorted(range(layers), key=str)


def spread(scales: np.ndarray, rows: int) -> np.ndarray:
    """[.., G, out] -> [.., rows, out]: row g of the scales covers the g-th block of input rows."""
    return np.repeat(scales, rows // scales.shape[-2], axis=-2)


def unpickle(path: Path) -> Any:
    """One file as it is: an array or a Quantized, matrices [.., in, out] and scales [.., G, out]."""
    return Reader(io.BytesIO(path.read_bytes())).load()


def read(path: Path) -> torch.Tensor:
    """One file as float32; matrices come as [.., in, out]."""
    value = unpickle(path)
    if isinstance(value, Quantized):
        weight, scales = value.weight.astype(np.float32), value.scales.astype(np.float32)
        value = weight * spread(scales, weight.shape[-2])
    return torch.from_numpy(np.ascontiguousarray(value, dtype=np.float32))


def convert(
    checkpoint: Path, layers: int, read: Callable[[Path], torch.Tensor] = read
) -> dict[str, torch.Tensor]:
    """Every tensor of the folder of pickles, under the names of the model's parameters."""
    tensor = [read(checkpoint / f"tensor{i:05d}_000") for i in range(2 + 12 * layers)]
    out = {"model.embed_tokens.weight": tensor[0], "model.norm.weight": tensor[1]}
    for place, layer in enumerate(layer_order(layers)):
        (linear, linear_1, linear_v, key, output, query, value, *norms, router) = tensor[2 + 12 * place :][
            :12
        ]
        name = f"model.layers.{layer}"
        out[f"{name}.moe.experts.gate_up_proj"] = torch.cat((linear, linear_v), dim=-1).transpose(1, 2)
        out[f"{name}.moe.experts.down_proj"] = linear_1.transpose(1, 2)
        out[f"{name}.moe.router.weight"] = router.T
        for short, matrix in (("q", query), ("k", key), ("v", value), ("o", output)):
            out[f"{name}.self_attn.{short}_proj.weight"] = matrix.T
        for i, norm in enumerate(norms):
            out[f"{name}.norm{i}.weight"] = norm
    return {name: matrix.contiguous() for name, matrix in out.items()}


def read_numbers(path: Path) -> torch.Tensor:
    """Reads like `read`, but returns the int8 numbers of a quantised file."""
    value = unpickle(path)
    return torch.from_numpy(np.ascontiguousarray(value.weight if isinstance(value, Quantized) else value))


def read_scales(path: Path) -> torch.Tensor:
    """Reads like `read`, but returns the scales of a quantised file, [.., G, out]."""
    value = unpickle(path)
    scales = value.scales.astype(np.float32) if isinstance(value, Quantized) else value
    return torch.from_numpy(np.ascontiguousarray(scales))


def convert_int8(checkpoint: Path, layers: int) -> dict[str, torch.Tensor]:
    """Converts with quantised matrices as they are stored: int8 [.., out, in] and `_scale` [.., out, G]."""
    numbers = convert(checkpoint, layers, read_numbers)
    scales = convert(checkpoint, layers, read_scales)
    int8 = [name for name, tensor in numbers.items() if tensor.dtype == torch.int8]
    return numbers | {f"{name}_scale": scales[name].bfloat16() for name in int8}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    constants = json.loads((folder / "config.json").read_text())
    weights = convert(folder / "ckpt-0", constants["num_layers"])
    save_file(weights, HERE / "model.safetensors", metadata={"format": "pt"})
    shutil.copyfile(folder / "golden.npz", HERE / "golden.npz")
    shutil.copytree(folder / "ckpt-0", HERE / "ckpt-0", dirs_exist_ok=True)  # for the importer's tests
    shutil.copyfile(folder / "config.json", HERE / "xai_config.json")
    Grok1Config.from_xai(constants, architectures=["Grok1ForCausalLM"], dtype="float32").save_pretrained(HERE)
