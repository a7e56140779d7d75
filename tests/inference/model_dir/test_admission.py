"""Tests the checks before a weight is read (manifest, memory), and that large tensors are not copied."""

from __future__ import annotations

import logging
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.engines import load_engine
from inference.grok1.quantize import quantise_folder
from inference.grok1.step import TorchStep, load_for_serving
from inference.model_dir import manifest
from inference.model_dir.admission import SMALL_BYTES, ensure_memory, needed_bytes, serving_dtype, vouch
from inference.model_dir.describe import ModelFiles, ModelUnusable, describe
from inference.networks.int8 import Int8Matrix

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests" / "data" / "grok1"
DEMO = ROOT / "inference" / "demo" / "model"
GB = 10**9


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The small reference model, in float32, with a manifest."""
    path = tmp_path / "model"
    path.mkdir()
    for source in (DATA / "config.json", DATA / "model.safetensors", DEMO / "tokenizer.model"):
        shutil.copyfile(source, path / source.name)
    files = {file.name: manifest.entry_of(file) for file in path.iterdir()}
    manifest.write(path, files, made_by="test")
    return path


# -- the manifest --------------------------------------------------------------------------------------


def test_weights_that_changed_are_refused_before_they_are_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_for_serving(folder)
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-9] ^= 4
    (folder / "model.safetensors").write_bytes(data)
    monkeypatch.setattr("inference.grok1.network.safe_open", None)  # opening one would be a TypeError
    with pytest.raises(ModelUnusable, match="model.safetensors .* was changed"):
        load_engine(str(folder), slots=1, threads=1)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.model"])
def test_every_file_a_worker_reads_must_be_in_the_manifest(folder: Path, name: str) -> None:
    files = manifest.read(folder)
    assert files is not None
    manifest.write(folder, {other: entry for other, entry in files.items() if other != name}, made_by="test")
    with pytest.raises(ModelUnusable, match=f"{name} in .* is not in its manifest") as refused:
        vouch(describe(folder))
    assert "\n" not in str(refused.value)


def test_a_folder_without_one_is_served_with_a_warning(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="inference.model_dir.admission"):
        load_for_serving(folder)
        assert not caplog.records
        (folder / "manifest.json").unlink()
        load_for_serving(folder)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "nothing vouches for its weights" in caplog.text


# -- memory --------------------------------------------------------------------------------------------


def sized(stored: dict[str, int], cached_numbers: int = 0, context: int = 0) -> ModelFiles:
    """A folder of these bytes by dtype."""
    return replace(describe(DEMO), stored=stored, cached_numbers=cached_numbers, context=context)


@pytest.mark.parametrize(
    ("stored", "dtype"),
    [
        ({"F32": 600 * GB}, "float32"),
        ({"BF16": SMALL_BYTES // 2}, "float32"),
        ({"BF16": SMALL_BYTES // 2 + 2}, "bfloat16"),
        ({"BF16": 90 * GB, "F32": 1000}, "bfloat16"),  # a router kept precise
        ({"I8": 300 * GB, "BF16": GB // 4, "F32": 3 * GB}, "float32"),  # the release: a float32 embedding
        ({"I8": 300 * GB, "BF16": 2 * GB}, "bfloat16"),
        ({"F16": 20 * GB}, "float32"),
    ],
)
def test_the_dtype_in_which_floats_are_served(stored: dict[str, int], dtype: str) -> None:
    assert serving_dtype(sized(stored)) == dtype


@pytest.mark.parametrize(
    ("stored", "weights", "cached_size"),
    [
        ({"F32": 100 * GB}, 100 * GB, 4),
        ({"BF16": 100 * GB}, 100 * GB, 2),  # in place
        ({"BF16": GB // 4}, GB // 2, 4),  # converted
        ({"I8": 100 * GB, "F32": 3 * GB}, 103 * GB, 4),
    ],
)
def test_needed_is_weights_as_served_and_a_cache_for_every_slot(
    stored: dict[str, int], weights: int, cached_size: int
) -> None:
    files = sized(stored, cached_numbers=131_072, context=8_192)
    base = needed_bytes(sized({}), 0)
    assert needed_bytes(files, 0) - base == weights
    assert needed_bytes(files, 3) - base == weights + 3 * 8_192 * 131_072 * cached_size


def test_packed_int8_counts_the_head_beside_the_embedding() -> None:
    """The logits are made with the embedding in int8, with a float32 scale for each 64 inputs."""
    floats, int8 = sized({"BF16": 2 * GB}), sized({"I8": 100 * GB, "BF16": 2 * GB})
    base = needed_bytes(sized({}), 0, packed=True)
    assert needed_bytes(floats, 0, packed=True) - base == 2 * GB
    assert needed_bytes(int8, 0, packed=True) - base == 102 * GB + GB + 4 * GB // 64


def test_the_forecast_is_what_the_step_then_takes(folder: Path) -> None:
    files = describe(folder)
    step = TorchStep(load_for_serving(folder), rows=3, context=files.context)
    assert step.cache_bytes == needed_bytes(files, 3) - needed_bytes(files, 0)


def test_grok_1_is_refused_on_a_laptop_in_one_line() -> None:
    files = replace(sized({"I8": 310 * GB, "F32": 3 * GB}, 2 * 64 * 1024, 8_192), name="Grok-1")
    with pytest.raises(ModelUnusable) as refused:
        ensure_memory(files, 4, free=16 * GB)
    assert re.fullmatch(
        r"not enough memory for Grok-1: needs 330\.\d GB \(17\.2 GB of it to remember 4 conversations\), "
        r"16\.0 GB free; its weights alone take 313\.3 GB, "
        r"so neither GROKWEB_CONTEXT nor GROKWEB_SLOTS would help",
        str(refused.value),
    )
    ensure_memory(files, 4, free=340 * GB)


def test_an_engine_checks_the_memory_before_it_reads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.model_dir.admission.free_memory", lambda: 10**6)
    monkeypatch.setattr("inference.grok1.network.safe_open", None)
    with pytest.raises(ModelUnusable, match="not enough memory"):
        load_engine(str(folder), slots=2, threads=1)


# -- the map -------------------------------------------------------------------------------------------


def mapped(file: Path) -> list[range]:
    """Returns where the file is mapped in this process' memory."""
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    spans = [line[0].split("-") for line in lines if line[-1] == str(file)]
    return [range(int(first, 16), int(last, 16)) for first, last in spans]


def lies_in(tensor: torch.Tensor, spans: list[range]) -> bool:
    return any(tensor.data_ptr() in span for span in spans)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="this system does not say what is mapped")
@pytest.mark.parametrize("form", ["float32", "bfloat16", "int8"])
def test_big_tensors_are_used_where_they_lie_in_the_file(
    folder: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form == "int8":
        quantise_folder(folder, tmp_path / "int8")
        folder = tmp_path / "int8"
    elif form == "bfloat16":
        tensors = {
            name: tensor if "norm" in name or "router" in name else tensor.bfloat16()
            for name, tensor in load_file(folder / "model.safetensors").items()
        }
        save_file(tensors, folder / "model.safetensors")
        (folder / "manifest.json").unlink()
        monkeypatch.setattr("inference.model_dir.admission.SMALL_BYTES", 0)  # every model is a big one
    network = load_for_serving(folder)
    spans = mapped(folder / "model.safetensors")
    assert spans
    assert lies_in(network.embedding, spans)
    for layer in network.layers:
        for weight in (layer.o, *layer.gate_up, *layer.down):
            parts = (weight.values, weight.scale) if isinstance(weight, Int8Matrix) else (weight,)
            assert all(lies_in(part, spans) for part in parts)
    step = TorchStep(network, rows=1, context=8)
    assert step.layers is network.layers
    assert step.step([5, 6], [0, 0], [0, 1], [1, 1], [1]).isfinite().all()
