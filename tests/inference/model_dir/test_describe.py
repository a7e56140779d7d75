"""A model folder that cannot be served is refused with one clear line, before and while loading."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from inference.grok1 import Grok1Config
from inference.grok1.network import Constants, Network, load_for_serving
from inference.grok1.step import TorchStep
from inference.model_dir.admission import ensure_memory, free_memory
from inference.model_dir.describe import ModelUnusable, describe

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests" / "data" / "grok1"
DEMO = ROOT / "inference" / "demo" / "model"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole model folder of the small reference model."""
    path = tmp_path / "Small Grok_1"
    path.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(DATA / name, path / name)
    shutil.copyfile(DEMO / "tokenizer.model", path / "tokenizer.model")
    return path


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def config_of(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return config


def assert_same(ours: Network, theirs: Network) -> None:
    """Every weight, its dtype too."""
    assert ours.config == theirs.config
    pairs = [(ours.embedding, theirs.embedding), (ours.last_norm, theirs.last_norm)]
    for mine, other in zip(ours.layers, theirs.layers, strict=True):
        for one, two in zip(mine, other, strict=True):
            pairs += zip(one, two, strict=True) if isinstance(one, tuple) else [(one, two)]
    for one, two in pairs:
        assert one.dtype == two.dtype
        assert torch.equal(one, two)


def test_describe_says_what_the_folder_is(folder: Path) -> None:
    files = describe(folder)
    assert (files.slug, files.name, files.is_demo, files.context) == (
        "small-grok-1",
        "Small Grok_1",
        False,
        256,
    )
    assert files.model_type == "grok1"
    assert files.chat_template == "grok1"
    assert files.path == folder
    assert (
        files.weight_bytes
        == 4 * files.parameters
        == sum(4 * tensor.numel() for tensor in load_file(folder / "model.safetensors").values())
    )
    (folder / "grokweb.json").write_text(
        '{"slug": "tiny", "name": "Tiny", "about": "A test.", "is_demo": true}'
    )
    named = describe(folder)
    assert (named.slug, named.name, named.about, named.is_demo) == ("tiny", "Tiny", "A test.", True)


def test_describe_needs_no_torch() -> None:
    code = f"""
import pathlib, sys
from inference.model_dir.describe import describe
describe(pathlib.Path({str(DEMO)!r}))
assert not {{"torch", "transformers", "safetensors", "numpy"}} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def truncate(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(1_000_000)


def garbage(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x40" * 5000)


def bad_header(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 20) + b"{" * 20 + b"0" * 90)


def lose_a_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.3.moe.router.weight"]
    save_file(tensors, folder / "model.safetensors")


def half_an_index(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def index_outside(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder.parent / "elsewhere.safetensors")
    index = {"weight_map": {"a": "../elsewhere.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: shutil.rmtree(f), "no such folder"),
        (lambda f: (f / "config.json").unlink(), "no readable config.json"),
        (lambda f: (f / "config.json").write_text('{"model_type": "gro'), "not JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "not a JSON object"),
        (
            lambda f: edit(f / "config.json", model_type="llama"),
            "no tokenizer.json in .*: tokenizer.model alone",
        ),
        (
            lambda f: edit(f / "config.json", num_hidden_layers=None),
            "num_hidden_layers must be a whole number",
        ),
        (lambda f: edit(f / "config.json", num_hidden_layers=12), "11 of 134 tensors are missing"),
        (lambda f: edit(f / "config.json", num_hidden_layers=10), "no part of Grok-1"),
        (
            lambda f: edit(f / "config.json", vocab_size=321),
            r"is \[320, 48\], config.json asks for \[321, 48\]",
        ),
        (lambda f: (f / "tokenizer.model").unlink(), "no tokenizer.model"),
        (lambda f: (f / "model.safetensors").unlink(), "no model.safetensors"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), "half-written"),
        (truncate, "damaged or half-written: 1,000,000 bytes, its header promises"),
        (garbage, "header is longer than the file"),
        (bad_header, "header cannot be read"),
        (lose_a_tensor, "1 of 123 tensors are missing.*layers.3.moe.router"),
        (half_an_index, "2 of 2 weight files are missing"),
        (index_outside, "names no weight files of this folder"),
        (lambda f: (f / "grokweb.json").write_text('{"slug": "Not Good"}'), "slug 'Not Good'"),
    ],
)
def test_damage_is_named_in_one_line(folder: Path, damage: Callable[[Path], object], words: str) -> None:
    damage(folder)
    with pytest.raises(ModelUnusable, match=words) as refused:
        describe(folder)
    assert "\n" not in str(refused.value)
    with pytest.raises(ModelUnusable, match=words):
        load_for_serving(folder)


def test_a_file_is_no_folder(folder: Path) -> None:
    with pytest.raises(ModelUnusable, match="it is a file"):
        describe(folder / "config.json")


def test_too_little_memory_is_refused_before_loading(folder: Path) -> None:
    files = describe(folder)
    with pytest.raises(ModelUnusable, match=r"needs 0\.3 GB .*, 0\.1 GB free"):
        ensure_memory(files, 1, free=100_000_000)
    ensure_memory(files, 1, free=10_000_000_000)
    assert (free_memory() or 1) > 0


def test_shards_load_like_one_file(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, some in parts.items():
        save_file({name: tensors[name] for name in some}, folder / file)
    weight_map = {name: file for file, some in parts.items() for name in some}
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": weight_map})
    )
    whole = Network.from_tensors(Constants.of(config_of(folder)), tensors)
    assert_same(load_for_serving(folder), whole)


def test_serving_loader_equals_transformers(folder: Path) -> None:
    stock = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    assert_same(load_for_serving(folder, torch.bfloat16), Network.from_model(stock))


def test_the_step_keeps_no_second_copy_of_the_weights(folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    step = TorchStep(model, rows=1, context=8)
    assert step.embedding.data_ptr() == model.model.embed_tokens.weight.data_ptr()
    assert step.layers[0].down[3].data_ptr() == model.model.layers[0].moe.experts.down_proj[3].data_ptr()


def test_the_constants_are_those_of_the_class() -> None:
    assert Constants.of(Grok1Config()) == Constants()
    assert Constants.of(config_of(DEMO)) == Constants.of(Grok1Config.from_pretrained(DEMO))


def test_a_reply_is_served_without_transformers() -> None:
    """Its Auto classes alone cost seconds, which every start of a worker would pay."""
    code = f"""
import queue, sys
from inference.contract import Ended, GenerationRequest, Sampling
from inference.engines import load_engine
engine = load_engine({str(DEMO)!r}, slots=1, threads=1)
events = queue.SimpleQueue()
engine.start(lambda some: [events.put(event) for event in some])
messages = ({{"role": "user", "content": "Hello"}},)
engine.submit(GenerationRequest("a", 1, engine.slug, messages, 8, 0, Sampling(0)), ())
while not isinstance(event := events.get(timeout=60), Ended):
    pass
engine.stop()
assert event.seq > 0, event
assert "transformers" not in sys.modules
import inference.grok1
assert inference.grok1.Grok1ForCausalLM and "transformers" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
