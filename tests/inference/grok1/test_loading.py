"""Weights that are converted while they are loaded are in memory once, and equal those of torch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.grok1.network import load_for_serving
from inference.model_dir.grok1_tensors import tensors_of
from tests.inference.peak_memory import ROOT, peak_of

DEMO = ROOT / "inference" / "demo" / "model"
LARGE = {"hidden_size": 512, "intermediate_size": 1_024, "num_hidden_layers": 4, "num_local_experts": 8}
SETUP = """
import torch
from inference.grok1.network import load_for_serving
torch.ones(9).bfloat16()
"""


def make_folder(out: Path, dtype: torch.dtype) -> Path:
    """Writes random weights: 50 million in experts, 2 million in the embedding."""
    sizes = json.loads((DEMO / "config.json").read_text()) | LARGE
    del sizes["quantization_config"]
    out.mkdir()
    generator = torch.Generator().manual_seed(2)
    shapes = {one.name: one.shape for one in tensors_of(sizes, out)}
    tensors = {name: torch.rand(shape, generator=generator).to(dtype) for name, shape in shapes.items()}
    save_file(tensors, out / "model.safetensors", {"format": "pt"})
    (out / "config.json").write_text(json.dumps(sizes))
    shutil.copyfile(DEMO / "tokenizer.model", out / "tokenizer.model")
    return out


@pytest.mark.parametrize(("stored", "served"), [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_converted_weights_are_in_memory_once(tmp_path: Path, stored: str, served: str) -> None:
    folder = make_folder(tmp_path / stored, getattr(torch, stored))
    peak = peak_of(SETUP, f"load_for_serving(folder, torch.{served})", folder)
    numbers = sum(tensor.numel() for tensor in load_file(folder / "model.safetensors").values())
    assert peak < 1.25 * numbers * getattr(torch, served).itemsize


def test_converted_weights_are_those_that_torch_converts(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "floats", torch.float32)
    network = load_for_serving(folder, torch.bfloat16)
    stored = load_file(folder / "model.safetensors")
    start = "model.layers.0"
    qkv = torch.cat([stored[f"{start}.self_attn.{part}_proj.weight"] for part in "qkv"])
    layer = network.layers[0]
    assert torch.equal(network.embedding, stored["model.embed_tokens.weight"].bfloat16())
    assert torch.equal(layer.qkv, qkv.bfloat16())
    assert torch.equal(layer.router, stored[f"{start}.moe.router.weight"])
    for e in range(LARGE["num_local_experts"]):
        assert torch.equal(layer.down[e], stored[f"{start}.moe.experts.down_proj"][e].bfloat16())


def test_a_share_of_a_network_needs_no_memory_for_the_rest(tmp_path: Path) -> None:
    """Only parts are copied, and the files are mapped for one tensor at a time."""
    folder = make_folder(tmp_path / "floats", torch.float32)
    setup = f"{SETUP}\nfrom inference.grok1.parallel import Share, load_share\ncpu = torch.device('cpu')"
    peak = peak_of(setup, "load_share(folder, Share(0, 2), torch.bfloat16, cpu)", folder)
    weights = 2 * 27_000_000  # half of the experts in bfloat16, and the embedding
    largest = 4 * 8 * 2 * 1_024 * 512  # gate and up of the experts of a layer
    assert peak < weights + 5 * largest  # it is cut and joined, and mapped pages count until they are let go
