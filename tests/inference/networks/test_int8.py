"""int8 matrices and folders: the arithmetic against plain floats, the demo model against its own floats."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from inference.engines import load_engine
from inference.grok1 import Grok1ForCausalLM
from inference.grok1.quantize import main, quantise_folder
from inference.grok1.step import TorchStep, load_for_serving
from inference.grok1.tokenizer import load_tokenizer
from inference.model_dir import manifest
from inference.model_dir.describe import ModelUnusable, describe
from inference.model_dir.grok1_tensors import SCALE
from inference.networks.int8 import FEW, Int8Matrix, linear, quantise, stack

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "inference" / "demo" / "model"
DATA = ROOT / "tests" / "data" / "grok1"
TALKS = ROOT / "tests" / "data" / "held_out_talks.jsonl"
SAME_ARGMAX = 0.98  # share of held-out tokens


@pytest.fixture(scope="module")
def demo() -> Path:
    """The demo model as it is shipped: in int8."""
    return DEMO


@pytest.fixture(scope="module")
def again(demo_floats: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its floats, quantised."""
    out = tmp_path_factory.mktemp("int8") / "demo"
    quantise_folder(demo_floats, out)
    return out


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small reference model in int8, stored as the release is: in eight blocks where it has eight."""
    out = tmp_path_factory.mktemp("int8") / "reference"
    out.mkdir()
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in load_file(DATA / "model.safetensors").items():
        if "_proj" in name:
            values, scale = quantise(tensor, 8 if "down_proj" in name or "o_proj" in name else 1)
            tensors |= {name: values, name + SCALE: scale}
        else:
            tensors[name] = tensor
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((DATA / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "grokweb_int8"}
    (out / "config.json").write_text(json.dumps(config))
    shutil.copyfile(DEMO / "tokenizer.model", out / "tokenizer.model")
    return out


# -- matrices ------------------------------------------------------------------------------------------


def matrix(outputs: int, inputs: int, groups: int, dtype: torch.dtype = torch.bfloat16) -> Int8Matrix:
    made = torch.Generator().manual_seed(outputs * inputs + groups)
    values = torch.randint(-127, 128, (outputs, inputs), dtype=torch.int8, generator=made)
    return Int8Matrix(values, (torch.rand(outputs, groups, generator=made) + 0.5).to(dtype))


def by_hand(weight: Int8Matrix) -> torch.Tensor:
    """[out, in] in float64, weight by weight."""
    outputs, inputs = weight.values.shape
    block = inputs // weight.groups
    out = torch.empty(outputs, inputs, dtype=torch.float64)
    for i in range(inputs):
        out[:, i] = weight.values[:, i].double() * weight.scale[:, i // block].double()
    return out


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize(
    ("outputs", "inputs", "groups"), [(5, 48, 1), (7, 48, 8), (1, 16, 16), (300, 2000, 5)]
)
def test_tiles_are_exact(outputs: int, inputs: int, groups: int, dtype: torch.dtype) -> None:
    weight = replace(matrix(outputs, inputs, groups, dtype), exact=True)
    exact = by_hand(weight)
    torch.testing.assert_close(weight.dequantised().double(), exact, rtol=1e-6, atol=0)
    x = torch.randn(3, inputs, generator=torch.Generator().manual_seed(1))
    theirs = x.double() @ exact.T
    assert (linear(x, weight).double() - theirs).abs().max() < 1e-5 * theirs.std()


@pytest.mark.parametrize("outputs", [1, 3, 64, 130])
def test_kernel_and_tiles_differ_by_rounding_alone(outputs: int) -> None:
    weight = matrix(outputs, 208, 1)
    assert weight.rounds
    x = torch.randn(FEW + 5, 208, generator=torch.Generator().manual_seed(2))
    many = weight.times(x)
    few = torch.cat([weight.times(row[None]) for row in x])
    theirs = x.double() @ by_hand(weight).T
    sd = theirs.std()
    assert (many.double() - theirs).abs().max() < 0.02 * sd
    differ = (many != few).double().mean()
    assert differ < 0.05  # a sum added in another order falls on the other side of a rounding now and then
    assert (many - few).abs().max() < 0.02 * sd


@pytest.mark.parametrize("rows", [1, 4, 9])
def test_a_matrix_may_begin_anywhere(rows: int) -> None:
    """Files map tensors to multiples of 8 bytes, and on some processors the kernel faults on those."""
    weight = matrix(64, 208, 1)
    memory = torch.empty(weight.values.numel() + 16, dtype=torch.int8)
    apart = memory[8:-8].view(weight.values.shape)
    apart.copy_(weight.values)
    x = torch.randn(rows, 208, generator=torch.Generator().manual_seed(3))
    ours, theirs = replace(weight, values=apart).times(x), weight.times(x)
    assert (ours - theirs).abs().max() < 0.02 * theirs.std()


def test_matrices_that_the_kernel_does_not_support_are_multiplied_in_tiles() -> None:
    """It reads past the end of rows that are no whole vectors (and crashes), and knows one scale a row."""
    assert not matrix(4, 40, 1).rounds
    assert not matrix(4, 48, 3).rounds
    assert not matrix(4, 48, 1, torch.float32).rounds
    for weight in (matrix(4, 50, 1), matrix(4, 48, 3)):
        x = torch.randn(1, weight.values.shape[1], generator=torch.Generator().manual_seed(1))
        exact = (x.double() @ by_hand(weight).T).float()
        torch.testing.assert_close(weight.times(x), exact, atol=1e-4, rtol=1e-4)


def test_matrices_of_other_groups_stack() -> None:
    parts = [matrix(4, 48, 1), matrix(2, 48, 8), matrix(3, 48, 2)]
    whole = stack(parts)
    assert isinstance(whole, Int8Matrix)
    assert torch.equal(whole.dequantised(), torch.cat([part.dequantised() for part in parts]))
    with pytest.raises(ValueError, match="do not fit"):
        stack([matrix(4, 48, 3), matrix(4, 48, 8)])


def test_quantising_takes_the_nearest_number() -> None:
    weights = torch.randn(64, 96, generator=torch.Generator().manual_seed(3))
    for groups in (1, 4):
        values, scale = quantise(weights, groups)
        wide = scale.float().repeat_interleave(96 // groups, dim=1)
        # Half a step; the largest may lose a little more, for its scale was rounded to bfloat16.
        assert ((values * wide - weights).abs() <= wide * 0.76).all()
        assert ((values * wide - weights).abs() <= wide * 0.5001).double().mean() > 0.99
        assert (values.abs().view(64, groups, -1).amax(-1) >= 126).all()  # the whole range is used
    assert not quantise(torch.zeros(2, 16))[0].any()
    with pytest.raises(ValueError, match="equal blocks"):
        quantise(weights, 5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("groups", [1, 8])
def test_cuda_equals_floats(groups: int) -> None:
    weight = matrix(512, 1024, groups)
    there = Int8Matrix(weight.values.cuda(), weight.scale.cuda())
    x = torch.randn(5, 1024)
    theirs = x.double() @ by_hand(weight).T
    assert (there.times(x.cuda()).cpu().double() - theirs).abs().max() < 1e-3 * theirs.std()
    rounded = there.times(x.cuda().bfloat16()).cpu().double()
    assert (rounded - theirs).abs().max() < 0.05 * theirs.std()


# -- folders -------------------------------------------------------------------------------------------


def after_every_token(folder: Path, **how: object) -> torch.Tensor:
    """The logits before each token of every held-out answer, the answers being fed as they are."""
    tokenizer = load_tokenizer(DEMO)
    step = TorchStep(load_for_serving(folder, **how), rows=1, context=1024)
    out = []
    for line in TALKS.read_text().splitlines():
        talk = json.loads(line)["messages"]
        prompt = tokenizer.render_chat(talk[:1])
        ids = [*prompt, *tokenizer.encode(talk[1]["content"])]
        n = len(ids)
        out.append(step.step(ids, [0] * n, range(n), [1] * n, range(len(prompt) - 1, n)))
    return torch.cat(out)


def test_int8_answers_equal_float32_answers(demo: Path, demo_floats: Path) -> None:
    """Torch's kernel, which rounds to bfloat16, is compared."""
    ours, theirs = after_every_token(demo), after_every_token(demo_floats)
    same = (ours.argmax(-1) == theirs.argmax(-1)).double().mean().item()
    print(f"same argmax on {same:.2%} of {len(ours)} held-out tokens")
    assert same >= SAME_ARGMAX


def test_an_int8_folder_is_whole(again: Path, demo_floats: Path) -> None:
    files = describe(again)
    assert files.weight_bytes < 0.4 * describe(demo_floats).weight_bytes
    assert files.parameters == describe(demo_floats).parameters
    assert manifest.check(again, ["config.json", "model.safetensors", "tokenizer.model", "grokweb.json"])
    assert (again / "README.md").read_bytes() == (DEMO / "README.md").read_bytes()
    assert all(file.stat().st_mode & 0o044 for file in again.iterdir())  # a worker may be another user
    engine = load_engine(str(again), slots=1, threads=1)
    assert engine.slug == "grokweb-demo"
    assert " int8 " in engine.fingerprint  # another successor than the float folder's worker


def test_quantising_what_was_int8_gives_the_same_numbers(again: Path, demo: Path) -> None:
    first, second = (load_file(folder / "model.safetensors") for folder in (demo, again))
    assert first.keys() == second.keys()
    same = [bool((first[name] == second[name]).all()) for name in first if first[name].dtype == torch.int8]
    assert sum(same) > 0.9 * len(same)  # a scale that bfloat16 rounds once more may move a matrix


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_folder_is_served_on_cuda(demo: Path) -> None:
    ids = load_tokenizer(DEMO).render_chat([{"role": "user", "content": "What is GrokWeb?"}])
    n = len(ids)
    batch = (ids, [0] * n, range(n), [1] * n, range(n))
    here = TorchStep(load_for_serving(demo, exact=True), rows=1, context=64).step(*batch)
    there = TorchStep(load_for_serving(demo, device="cuda"), rows=1, context=64).step(*batch).cpu()
    assert ((there - here).square().mean(-1).sqrt() / here.std(-1)).median() < 0.01
    rounded = TorchStep(load_for_serving(demo, torch.bfloat16, device="cuda"), rows=1, context=64)
    assert ((rounded.step(*batch).cpu() - here).square().mean(-1).sqrt() / here.std(-1)).median() < 0.12


def test_shards_and_groups_are_written_and_read(tmp_path: Path, demo_floats: Path) -> None:
    quantise_folder(demo_floats, tmp_path / "out", group_size=64, shard_bytes=1_000_000)
    files = describe(tmp_path / "out")
    assert len(files.shards) > 3
    step = TorchStep(load_for_serving(tmp_path / "out"), rows=1, context=8)
    whole = TorchStep(load_for_serving(demo_floats), rows=1, context=8)
    near = [s.step([5, 900], [0, 0], [0, 1], [1, 1], [1]) for s in (step, whole)]
    assert (near[0] - near[1]).square().mean().sqrt() < 0.05 * near[1].std()


def test_the_command_refuses_in_words(
    tmp_path: Path, demo_floats: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    floats = str(demo_floats)
    assert main([floats, str(tmp_path / "out"), "--group-size", "7"]) == 2
    assert "no multiple of a group size of 7" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([floats, str(tmp_path / "out")]) == 0
    assert "MB of weights" in capsys.readouterr().out
    assert main([floats, str(tmp_path / "out")]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main([str(tmp_path / "out"), str(tmp_path / "again")]) == 2
    assert "no Grok-1 folder with float weights" in capsys.readouterr().err


@torch.inference_mode()
def test_eight_blocks_equal_their_own_floats(reference: Path) -> None:
    """Storage as in xAI's release; computed in float32 it is the network of the unpacked weights."""
    plain = {}
    stored = load_file(reference / "model.safetensors")
    for name, tensor in stored.items():
        if tensor.dtype == torch.int8:
            rows = [Int8Matrix(v, s).dequantised() for v, s in _rows(tensor, stored[name + SCALE])]
            plain[name] = torch.stack(rows) if tensor.dim() == 3 else rows[0]
        elif not name.endswith(SCALE):
            plain[name] = tensor
    twin = AutoModelForCausalLM.from_pretrained(DATA, dtype=torch.float32)
    twin.load_state_dict(plain)
    exact = TorchStep(load_for_serving(reference, exact=True), rows=1, context=128)
    quick = TorchStep(load_for_serving(reference), rows=1, context=128)
    stock = AutoModelForCausalLM.from_pretrained(reference, dtype=torch.float32)
    golden = np.load(DATA / "golden.npz")
    for prompt in ("len1", "len7", "len33"):
        ids = golden[f"{prompt}/tokens"].tolist()
        n = len(ids)
        theirs = twin(torch.tensor([ids])).logits[0]
        sd = theirs.std(-1, keepdim=True)
        batch = (ids, [0] * n, range(n), [1] * n, range(n))
        assert ((exact.step(*batch) - theirs).abs() / sd).max() < 1e-3
        assert ((stock(torch.tensor([ids])).logits[0] - theirs).abs() / sd).max() < 1e-3
        assert ((quick.step(*batch) - theirs).square().mean(-1).sqrt() / sd[:, 0]).median() < 0.12


def _rows(values: torch.Tensor, scale: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return [(values, scale)] if values.dim() == 2 else list(zip(values, scale, strict=True))


@torch.inference_mode()
def test_the_class_reads_the_folder_and_agrees_with_the_step(demo: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(demo, dtype=torch.float32)
    assert isinstance(model, Grok1ForCausalLM)
    assert model.model.layers[0].moe.experts.gate_up_proj.dtype == torch.int8
    assert model.model.layers[0].self_attn.q_proj.weight.dtype == torch.int8
    ids = load_tokenizer(DEMO).render_chat([{"role": "user", "content": "What is GrokWeb?"}])
    n = len(ids)
    theirs = model(torch.tensor([ids])).logits[0]
    for network in (load_for_serving(demo, exact=True), model):
        ours = TorchStep(network, rows=1, context=64).step(ids, [0] * n, range(n), [1] * n, range(n))
        assert (ours - theirs).abs().max() < 1e-3 * theirs.std()
    made = model.generate(torch.tensor([ids]), max_new_tokens=12, do_sample=False, attention_mask=None)
    assert made.shape[1] > n


@torch.inference_mode()
def test_a_bfloat16_model_uses_the_kernel(demo: Path, demo_floats: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(demo, dtype=torch.bfloat16)
    assert model.model.layers[0].self_attn.q_proj.weight_scale.dtype == torch.bfloat16
    ids = load_tokenizer(DEMO).render_chat([{"role": "user", "content": "What is GrokWeb?"}])
    theirs = load_for_serving(demo_floats)
    n = len(ids)
    whole = TorchStep(theirs, rows=1, context=64).step(ids, [0] * n, range(n), [1] * n, range(n))
    ours = model(torch.tensor([ids])).logits[0].float()
    assert ((ours - whole).square().mean(-1).sqrt() / whole.std(-1)).median() < 0.12


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("model.layers.0.self_attn.q_proj.weight_scale"), "1 of .* tensors are missing"),
        (
            lambda t: t.update({"model.layers.0.self_attn.q_proj.weight_scale": torch.ones(192, 5)}),
            "no scales",
        ),
        (
            lambda t: t.update({"model.layers.0.self_attn.q_proj.weight_scale": torch.ones(192, 1).half()}),
            r"is F16 \[192, 1\]: no scales",
        ),
        (
            lambda t: t.update({"model.layers.0.self_attn.q_proj.weight": torch.ones(192, 192)}),
            "is F32, not I8",
        ),
        (lambda t: t.update({"model.norm.weight": torch.ones(192, dtype=torch.int8)}), "is I8, not F32"),
        (lambda t: t.update({"model.norm.weight_scale": torch.ones(192, 1)}), "no part of Grok-1"),
    ],
)
def test_int8_that_is_not_ours_is_refused(
    demo: Path, tmp_path: Path, change: Callable[[dict[str, torch.Tensor]], object], words: str
) -> None:
    folder = tmp_path / "demo"
    shutil.copytree(demo, folder)
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ModelUnusable, match=words):
        describe(folder)


def test_int8_without_its_word_in_the_config_is_refused(demo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    shutil.copytree(demo, folder)
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gptq"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelUnusable, match="quantised as 'gptq'"):
        describe(folder)
    del config["quantization_config"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelUnusable, match="is I8, not F32"):
        describe(folder)
