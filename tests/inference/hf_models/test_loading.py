"""Weights of a folder are copied, unpacked or made int8 as they are read; nothing else fills a network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

from inference.engines.local import LocalEngine
from inference.hf_models import int8, packed
from inference.hf_models.loading import load_model
from inference.hf_models.packed import Reader, logical, unpacked_fp8
from inference.hf_models.self_check import find_way
from inference.model_dir.admission import needed_bytes
from inference.model_dir.describe import describe
from inference.model_dir.headers import ModelUnusable, read_headers
from inference.networks.int8 import Int8Matrix, quantise
from tests.inference.hf_architectures import APART, IN_TURN, TOGETHER
from tests.inference.hf_folders import change_json, make_folder
from tests.inference.peak_memory import peak_of

ALL = TOGETHER | IN_TURN | APART
FAST = {"gpt_oss", "deepseek_v3", "qwen3_next"}
KINDS = [kind if kind in FAST else pytest.param(kind, marks=pytest.mark.engines) for kind in ALL]


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    kind: str = request.param
    return make_folder(tmp_path / kind, kind, sizes=ALL[kind])


def stock(folder: Path, dtype: torch.dtype) -> Any:
    loader: Any = AutoModelForCausalLM
    return loader.from_pretrained(folder, dtype=dtype).eval()


@pytest.mark.parametrize("folder", KINDS, indirect=True)
def test_a_network_is_the_one_that_transformers_loads(folder: Path) -> None:
    """Each tensor, its dtype (some stay float32), and what is computed and not stored."""
    for dtype in ("float32", "bfloat16"):
        ours, theirs = load_model(folder, slots=1, dtype=dtype), stock(folder, getattr(torch, dtype))
        expected = {**theirs.state_dict(), **dict(theirs.named_buffers())}
        found = {**ours.state_dict(), **dict(ours.named_buffers())}
        assert found.keys() == expected.keys()
        for name, tensor in expected.items():
            assert found[name].dtype == tensor.dtype, name
            assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize("folder", KINDS, indirect=True)
def test_int8_weights_are_within_half_a_step_of_the_floats(folder: Path) -> None:
    ours = load_model(folder, slots=1, dtype="int8")
    floats = dict(stock(folder, torch.float32).named_parameters())
    quantised = {name: one for name, one in ours.named_buffers() if one.dtype == torch.int8}
    for name, values in quantised.items():
        scale = ours.get_buffer(f"{name}_scale")
        wanted = floats[name]
        if wanted.shape != values.shape:  # a class that has its experts transposed
            wanted = wanted.transpose(-1, -2)
        matrices = zip(
            *(t.flatten(0, -3) if t.dim() > 2 else t[None] for t in (values, scale, wanted)), strict=True
        )
        for matrix, steps, exact in matrices:
            away = (Int8Matrix(matrix, steps).dequantised() - exact).abs()
            assert (away <= 0.51 * steps.float()).all(), name
    assert find_way(ours, folder) == find_way(stock(folder, torch.float32), folder)


@pytest.mark.parametrize("folder", ["gpt_oss", "deepseek_v3"], indirect=True)
def test_in_int8_projections_and_experts_are_and_the_rest_is_not(folder: Path) -> None:
    model = load_model(folder, slots=1, dtype="int8")
    quantised = {name for name, one in model.named_buffers() if one.dtype == torch.int8}
    last = f"model.layers.{model.config.num_hidden_layers - 1}"
    assert {f"{last}.self_attn.o_proj.weight", f"{last}.mlp.experts.down_proj"} <= quantised
    kept = {name for name, _ in model.named_parameters()}
    assert "model.embed_tokens.weight" in kept
    assert "lm_head.weight" in kept
    assert not any("norm" in name or "router" in name or ".gate." in name for name in quantised)


@pytest.mark.parametrize("folder", ["olmoe"], indirect=True)
def test_an_engine_in_int8_has_another_fingerprint_and_needs_less_memory(folder: Path) -> None:
    float32, eight = (LocalEngine(folder, slots=1, threads=1, dtype=dtype) for dtype in ("", "int8"))
    assert "int8-float32" in eight.fingerprint
    assert eight.fingerprint != float32.fingerprint
    files = describe(folder)
    saved = needed_bytes(files, 1) - needed_bytes(files, 1, "int8")
    numbers = sum(
        one.numel() for one in load_model(folder, slots=1, dtype="int8").buffers() if one.dtype == torch.int8
    )
    assert saved == 3 * numbers


@pytest.mark.parametrize("folder", ["gpt_oss"], indirect=True)
def test_mxfp4_experts_are_unpacked(folder: Path) -> None:
    generator = torch.Generator().manual_seed(4)
    weights, expected = load_file(folder / "model.safetensors"), {}
    for name in [name for name in weights if name.endswith(("experts.gate_up_proj", "experts.down_proj"))]:
        experts, inputs, out = weights.pop(name).shape
        shape = (experts, out, inputs // 32, 16)  # blocks of 32 inputs
        blocks = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        scales = torch.randint(118, 126, shape[:-1], dtype=torch.uint8, generator=generator)
        weights |= {f"{name}_blocks": blocks, f"{name}_scales": scales}
        expected[name] = convert_moe_packed_tensors(blocks, scales)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    change_json(folder, quantization_config={"quant_method": "mxfp4"})
    model = load_model(folder, slots=1, dtype="bfloat16")
    for name, tensor in expected.items():
        assert torch.equal(model.get_parameter(name), tensor)
    assert find_way(load_model(folder, slots=1), folder) == "together"
    size = describe(folder).stored["BF16"]
    assert size == 2 * sum(tensor.numel() for tensor in expected.values())


def test_fp8_blocks_are_multiplied_with_their_factors() -> None:
    generator = torch.Generator().manual_seed(4)
    values = torch.randn(200, 300, generator=generator).to(torch.float8_e4m3fn)
    factors = torch.rand(2, 3, generator=generator)
    by_hand = torch.empty(200, 300)
    for i in range(200):
        for j in range(300):
            by_hand[i, j] = values[i, j].float() * factors[i // 128, j // 128]
    assert torch.equal(unpacked_fp8(values, factors), by_hand.bfloat16())
    one = torch.tensor(0.25)
    assert torch.equal(unpacked_fp8(values, one), (values.float() * 0.25).bfloat16())


@pytest.mark.parametrize("shape", [(3, 2, 3), (3,), (1,)], ids=["blocks", "experts", "all"])
def test_experts_of_one_fp8_tensor_are_multiplied_with_their_factors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]
) -> None:
    generator = torch.Generator().manual_seed(4)
    values = torch.randn(3, 200, 300, generator=generator).to(torch.float8_e4m3fn)
    factors = torch.rand(shape, generator=generator)
    file = tmp_path / "model.safetensors"
    save_file({"experts": values, "experts_scale_inv": factors}, file, {"format": "pt"})
    expected = [unpacked_fp8(values[e], factors.expand(3, *shape[1:])[e]) for e in range(3)]
    for at_once in (2**22, 130_000, 3_500):  # all experts, two, eleven rows
        monkeypatch.setattr(packed, "FP8_AT_ONCE", at_once)
        for whole in (False, True):
            joined = torch.empty(values.shape, dtype=torch.bfloat16)
            for index, part in Reader((file,)).parts("experts", whole_matrices=whole):
                joined[index] = part
            assert torch.equal(joined, torch.stack(expected))


def test_an_fp8_matrix_is_read_some_rows_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(4)
    values = torch.randn(200, 300, generator=generator).to(torch.float8_e4m3fn)
    factors = torch.rand(2, 3, generator=generator)
    file = tmp_path / "model.safetensors"
    save_file({"matrix": values, "matrix_scale_inv": factors}, file, {"format": "pt"})
    monkeypatch.setattr(packed, "FP8_AT_ONCE", 3_500)
    parts = list(Reader((file,)).parts("matrix"))
    assert [len(part) for _index, part in parts] == [11] * 18 + [2]
    assert torch.equal(torch.cat([part for _index, part in parts]), unpacked_fp8(values, factors))


@pytest.mark.parametrize("shape", [(3, 3), (2, 2), (4,), (2, 3, 2), (1, 0)], ids=str)
@pytest.mark.parametrize("experts", [(), (3,)], ids=["matrix", "experts"])
def test_factors_of_other_blocks_are_refused(
    tmp_path: Path, experts: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    file = tmp_path / "model.safetensors"
    values = torch.ones(*experts, 200, 300).to(torch.float8_e4m3fn)
    save_file({"one": values, "one_scale_inv": torch.ones(*experts, *shape)}, file)
    with pytest.raises(ModelUnusable, match="factors .*, which are not those of its blocks of 128 rows"):
        list(Reader((file,)).parts("one"))


def test_a_block_larger_than_the_matrix_takes_no_memory() -> None:
    values = torch.ones(200, 300).to(torch.float8_e4m3fn)
    with pytest.raises(ModelUnusable, match="are not those of its blocks"):
        unpacked_fp8(values, torch.ones(2, 3), (2**40, 128))
    unpacked = unpacked_fp8(values, torch.ones(1, 1), (2**40, 2**40))
    assert torch.equal(unpacked, torch.ones(200, 300).bfloat16())


@pytest.mark.parametrize("block", [[0, 128], [-128, 128], [128], [128.0, 128], [True, 128], "12"], ids=str)
def test_blocks_without_a_size_are_refused(tmp_path: Path, block: Any) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"one": torch.ones(2, 3)}, file)
    with pytest.raises(ModelUnusable, match="weight_block_size is .*, not two whole numbers above 0"):
        Reader((file,), block)


@pytest.mark.parametrize(
    "scales",
    [
        torch.ones(2, 8, 3, dtype=torch.uint8),
        torch.ones(3, 8, 2, dtype=torch.uint8),
        torch.ones(3, 8, dtype=torch.uint8),
        torch.ones(3, 8, 3),
    ],
    ids=["an expert less", "a group less", "no groups", "floats"],
)
def test_mxfp4_experts_whose_scales_do_not_fit_are_refused(tmp_path: Path, scales: torch.Tensor) -> None:
    file = tmp_path / "model.safetensors"
    blocks = torch.ones(3, 8, 3, 16, dtype=torch.uint8)
    save_file({"one_blocks": blocks, "one_scales": scales}, file)
    with pytest.raises(ModelUnusable, match="are not MXFP4"):
        logical(read_headers((file,)))
    with pytest.raises(ModelUnusable, match="are not MXFP4"):
        list(Reader((file,)).parts("one"))


@pytest.mark.parametrize("folder", ["olmoe"], indirect=True)
def test_an_fp8_folder_is_served(folder: Path) -> None:
    weights, expected = load_file(folder / "model.safetensors"), {}
    for name in [name for name in weights if "proj" in name]:
        values, factor = (weights[name] * 8).to(torch.float8_e4m3fn), torch.full((1, 1), 0.125)
        weights |= {name: values, f"{name}_scale_inv": factor}
        expected[name] = (values.float() * factor).bfloat16()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    quantised = {"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "dynamic"}
    change_json(folder, quantization_config=quantised)
    model = load_model(folder, slots=1, dtype="bfloat16")
    name = "model.layers.1.self_attn.q_proj.weight"
    assert torch.equal(model.get_parameter(name), expected[name])
    experts = model.get_parameter("model.layers.0.mlp.experts.down_proj")
    assert torch.equal(experts[3], expected["model.layers.0.mlp.experts.3.down_proj.weight"])
    LocalEngine(folder, slots=1, threads=1)
    assert json.loads((folder / "config.json").read_text())["quantization_config"] == quantised


def test_the_text_part_of_a_llama_4_that_reads_images_is_served(tmp_path: Path) -> None:
    text = make_folder(tmp_path / "text", "llama4_text", sizes=IN_TURN["llama4_text"])
    whole = shutil.copytree(text, tmp_path / "whole")
    part = json.loads((text / "config.json").read_text())
    released = {"model_type": "llama4", "architectures": ["Llama4ForConditionalGeneration"]}
    (whole / "config.json").write_text(json.dumps(released | {"text_config": part, "vision_config": {}}))
    weights = {f"language_model.{name}": one for name, one in load_file(text / "model.safetensors").items()}
    weights["vision_model.class_embedding"] = torch.zeros(8)
    save_file(weights, whole / "model.safetensors", {"format": "pt"})
    expected = load_model(text, slots=1).state_dict()
    found = load_model(whole, slots=1).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    engine = LocalEngine(whole, slots=1, threads=1)
    assert (engine.capabilities.batched, engine.capabilities.prefix_cache) == (False, True)


SETUP = """
import torch, transformers.models.llama.modeling_llama
from inference.hf_models.loading import load_model
torch.ones(9).bfloat16()
"""
HEAVY = {
    "vocab_size": 16_384,
    "hidden_size": 1_024,
    "intermediate_size": 4_096,
    "num_hidden_layers": 2,
    "initializer_range": 0.02,
}


def test_a_model_that_is_converted_is_in_memory_once(tmp_path: Path) -> None:
    """Its head, a quarter of it, comes last: mapped, it would stand beside all that was converted."""
    folder = make_folder(tmp_path / "llama", "llama", sizes=HEAVY)
    peak = peak_of(SETUP, "load_model(folder, slots=1, dtype='bfloat16')", folder)
    weights = describe(folder).parameters * 2
    assert peak < 1.15 * weights + 20e6  # and modules that are imported meanwhile


def test_int8_is_the_same_whatever_is_rounded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(4)
    floats = torch.randn(50, 30, generator=generator)
    results = []
    for at_once in (2**21, 70):
        monkeypatch.setattr(int8, "AT_ONCE", at_once)
        for turned in (False, True):  # the second as a class that has its matrices transposed
            values, scale = torch.empty(50, 30, dtype=torch.int8), torch.empty(50, 1)
            spread = scale.expand(50, 30)
            if turned:
                int8.store(floats.T, values.T, spread.T)
            else:
                int8.store(floats, values, spread)
            results.append((values, scale))
    expected = quantise(floats)
    for values, scale in results:
        assert torch.equal(values, expected[0])
        assert torch.equal(scale, expected[1].float())
