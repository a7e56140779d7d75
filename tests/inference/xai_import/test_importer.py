"""The importer: the same numbers as the naive conversion, in files that others read; its command."""

from __future__ import annotations

import functools
import io
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM

from inference.grok1 import Grok1Config
from inference.model_dir import manifest
from inference.model_dir.describe import describe
from inference.xai_import import convert, layout
from inference.xai_import.constants import RELEASE, Sizes, UnusableConstants, model_config, read_constants
from inference.xai_import.importer import SHARD_BYTES
from inference.xai_import.layout import source_files, targets
from inference.xai_import.outfolder import STATE
from inference.xai_import.progress import Progress, duration
from inference.xai_import.safefile import plan
from inference.xai_import.unpickle import arrays_in
from tests.data.grok1.convert import Quantized, Reader
from tests.inference.importing import SEVERAL, TOKENIZER, files_of, imported, start, tensors
from tests.inference.release_pickles import (
    CKPT,
    CONFIG,
    CONSTANTS,
    DATA,
    ROOT,
    array,
    quantized,
    whole,
)


@functools.cache
def naive() -> dict[str, Tensor]:
    """Returns the naive conversion of the same files: int8 * scale in float32, [out, in]."""
    return load_file(DATA / "model.safetensors")


# -- the same numbers ------------------------------------------------------------------------


def test_float32_is_the_product_unrounded(tmp_path: Path) -> None:
    found = tensors(imported(tmp_path / "out", "float32"))
    assert found.keys() == naive().keys()
    for name, value in naive().items():
        assert found[name].dtype == torch.float32
        assert torch.equal(found[name], value), name


def test_bfloat16_is_that_rounded_once(tmp_path: Path) -> None:
    found = tensors(imported(tmp_path / "out", "bfloat16"))
    assert found.keys() == naive().keys()
    for name, value in naive().items():
        exact = any(part in name for part in ("embed_tokens", "norm", "router"))
        assert found[name].dtype == (torch.float32 if exact else torch.bfloat16), name
        assert torch.equal(found[name], value.to(found[name].dtype)), name


def test_int8_times_scale_is_the_same_product(tmp_path: Path) -> None:
    found = tensors(imported(tmp_path / "out"))
    quantized_names = {name for name in found if name.endswith("_scale")}
    assert len(quantized_names) == 6 * 11
    for name, value in naive().items():
        if f"{name}_scale" not in quantized_names:
            assert torch.equal(found[name], value), name
            continue
        weights, scales = found[name], found[f"{name}_scale"]
        assert (weights.dtype, scales.dtype) == (torch.int8, torch.bfloat16)
        blocks = weights.float().unflatten(-1, (scales.shape[-1], -1))
        assert torch.equal((blocks * scales.float()[..., None]).flatten(-2), value), name


def test_int8_keeps_the_integers_and_the_scales(tmp_path: Path) -> None:
    """Layer 10 is the third in string order; file numbers count from there."""
    found = tensors(imported(tmp_path / "out"))
    start = 2 + 12 * 2
    for offset, part in ((3, "k"), (4, "o"), (5, "q"), (6, "v")):
        stored = Reader(io.BytesIO((CKPT / f"tensor{start + offset:05d}_000").read_bytes())).load()
        assert isinstance(stored, Quantized)
        name = f"model.layers.10.self_attn.{part}_proj.weight"
        assert np.array_equal(found[name].numpy(), stored.weight.T)
        scales = found[f"{name}_scale"].view(torch.int16).numpy()
        assert np.array_equal(scales, stored.scales.view(np.int16).T)
        assert scales.shape[1] == (8 if part == "o" else 1)


def off_by(folder: Path) -> float:
    """Returns the distance of transformers' answers with this folder from xAI's, in standard deviations."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    golden = np.load(DATA / "golden.npz")
    ids = torch.from_numpy(golden["len16/tokens"]).long()[None]
    with torch.no_grad():
        logits = model(ids).logits[0, torch.from_numpy(golden["len16/prefill_pos"]).long()]
    expected = torch.from_numpy(golden["len16/prefill_logits_f32"])
    return float(((logits - expected).abs().amax(-1) / expected.std(-1)).max())


def test_transformers_loads_it_and_answers_like_xai(tmp_path: Path) -> None:
    assert off_by(imported(tmp_path / "out", "float32", SEVERAL)) < 1e-3


def tiled(weights: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Scale rows in turns instead of in blocks: input i gets row i modulo 8."""
    return weights * np.tile(scales.T, (1, weights.shape[1] // scales.shape[0]))


@pytest.mark.parametrize(
    ("room", "function", "wrong"),
    [
        (layout, "layer_order", lambda layers: list(range(layers))),
        (convert, "multiplied", tiled),
    ],
    ids=["layers in numeric order", "tiled scale rows"],
)
def test_a_wrong_importer_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: Any, function: str, wrong: Any
) -> None:
    """It imports without complaint, for the shapes are the same; the answers tell."""
    monkeypatch.setattr(room, function, wrong)
    assert off_by(imported(tmp_path / "out", "float32")) > 0.1


@pytest.mark.parametrize("dtype", ["int8", "bfloat16", "float32"])
def test_the_files_are_what_safetensors_reads(tmp_path: Path, dtype: str) -> None:
    folder = imported(tmp_path / "out", dtype, SEVERAL)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    shards = sorted(set(index["weight_map"].values()))
    assert len(shards) > 3
    for shard in shards:
        assert (folder / shard).stat().st_size <= 1.2 * SEVERAL  # the longest pair of tensors is in one
        with safe_open(folder / shard, framework="pt") as opened:
            assert opened.metadata() == {"format": "pt"}
            for name in opened.keys():  # noqa: SIM118 - no mapping
                assert index["weight_map"].pop(name) == shard
                opened.get_tensor(name)
    assert not index["weight_map"]
    assert index["metadata"]["total_size"] == sum(t.nbytes for t in tensors(folder).values())
    assert manifest.check(folder, [*shards, "config.json", "model.safetensors.index.json"])
    assert not (folder / STATE).exists()


def test_one_file_needs_no_index(tmp_path: Path) -> None:
    folder = imported(tmp_path / "out", "float32", tokenizer=TOKENIZER)
    assert sorted(files_of(folder)) == [
        "config.json",
        "manifest.json",
        "model.safetensors",
        "tokenizer.model",
    ]
    assert (folder / "tokenizer.model").read_bytes() == TOKENIZER.read_bytes()
    assert describe(folder).parameters == sum(t.numel() for t in naive().values())


def test_the_config_is_what_transformers_would_write(tmp_path: Path) -> None:
    folder = imported(tmp_path / "out", "float32")
    ours = Grok1Config.from_pretrained(folder)
    expected = Grok1Config.from_xai(CONSTANTS, architectures=["Grok1ForCausalLM"], dtype="float32")
    assert ours.to_dict() | {"_name_or_path": ""} == expected.to_dict() | {"_name_or_path": ""}
    assert not hasattr(ours, "quantization_config")
    assert model_config({}, "int8")["quantization_config"] == {"quant_method": "grokweb_int8"}


def test_without_a_config_the_sizes_are_the_release_s() -> None:
    written = model_config({}, "float32")
    release = Grok1Config().to_dict()
    assert {key: release[key] for key in written if key not in ("architectures", "dtype")} == {
        key: value for key, value in written.items() if key not in ("architectures", "dtype")
    }
    files = source_files(Sizes.of({}))
    assert len(files) == 770
    assert files[26].parameter == "decoder_layer_10/moe/linear"
    # sizes of xAI's own files, less 147 or 323 bytes of opcodes
    assert {file.payload for file in files[2:5]} == {1_611_137_347 - 323, 1_611_399_491 - 323}
    assert sum(target.bytes for group in targets(Sizes.of({}), "int8") for target in group) > 316e9
    shards = plan(targets(Sizes.of({}), "int8"), SHARD_BYTES)
    assert max(shard.bytes for shard in shards) <= SHARD_BYTES
    assert {source for shard in shards for target in shard.targets for source in target.sources} == set(files)


def test_every_piece_is_turned_and_rounded_like_numpy_and_torch() -> None:
    numbers = np.random.default_rng(0)
    for shape in ((1, 1), (7, 300), (256, 128), (257, 129), (600, 5)):
        matrix = numbers.integers(-128, 128, shape, np.int8)
        assert np.array_equal(convert.turned(matrix), matrix.T)
    bits = numbers.integers(0, 2**32, 200_000, np.uint32)
    values = bits.view(np.float32)[np.isfinite(bits.view(np.float32))]
    values = np.concatenate([values, np.float32([1.00390625, 1.01171875, 0.0, -0.0, 1e-45])])  # ties too
    expected = torch.from_numpy(values.copy()).bfloat16().view(torch.int16).numpy()
    assert np.array_equal(convert.rounded(values.copy()).view(np.int16), expected)
    assert np.array_equal(
        convert.widened(expected.view(np.uint16)),
        torch.from_numpy(expected).view(torch.bfloat16).float().numpy(),
    )


# -- the files as others write them ------------------------------------------------------------


@pytest.fixture
def numpy_pickles(monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, bytes]:
    """Writes what today's numpy and ml_dtypes write: an array, and quantized weights too long for a frame."""
    kind = type("QuantizedWeight8bit", (), {"__module__": "__main__"})
    monkeypatch.setattr(sys.modules["__main__"], "QuantizedWeight8bit", kind, raising=False)
    twin = kind()
    twin.weight = np.arange(210_000, dtype=np.int64).astype(np.int8).reshape(3, 70_000)
    twin.scales = np.ones((1, 70_000), ml_dtypes.bfloat16)
    return pickle.dumps(np.arange(6, dtype=np.float32).reshape(2, 3), 4), pickle.dumps(twin, 4)


def found_in(data: bytes) -> list[tuple[str, tuple[int, ...], bytes]]:
    arrays = arrays_in(lambda offset, length: data[offset : offset + length], len(data))
    return [(one.kind, one.shape, data[one.offset : one.offset + one.length]) for one in arrays]


def test_pickles_of_numpy_2_are_found_too(numpy_pickles: tuple[bytes, bytes]) -> None:
    plain, twin = numpy_pickles
    assert b"numpy._core.multiarray" in plain
    assert found_in(plain) == [("f4", (2, 3), np.arange(6, dtype=np.float32).tobytes())]
    (kind, shape, data), (scale_kind, scale_shape, scales) = found_in(twin)
    assert (kind, shape, scale_kind, scale_shape) == ("i1", (3, 70_000), "bf16", (1, 70_000))
    assert data == np.arange(210_000, dtype=np.int64).astype(np.int8).tobytes()
    assert scales == np.ones(70_000, ml_dtypes.bfloat16).tobytes()


def test_the_tests_own_pickles_are_true_ones() -> None:
    """Python's unpickler reads the output of release_pickles.py as the same numbers."""
    data = whole(
        quantized(array("i1", (2, 3), b"\x01\xff\x03\x04\x05\x06"), array("bf16", (1, 3), b"\x80\x3f" * 3))
    )
    read = Reader(io.BytesIO(data)).load()
    assert read.weight.tolist() == [[1, -1, 3], [4, 5, 6]]
    assert read.scales.astype(np.float32).tolist() == [[1, 1, 1]]
    assert found_in(data) == [("i1", (2, 3), b"\x01\xff\x03\x04\x05\x06"), ("bf16", (1, 3), b"\x80\x3f" * 3)]


# -- progress ------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_redrawn_on_a_terminal_and_appended_in_a_log() -> None:
    for stream, redrawn in ((Terminal(), True), (io.StringIO(), False)):
        now = 100.0
        progress = Progress(stream, clock=lambda: now)  # noqa: B023 - read at once
        progress.begin("importing", 770, 300 * 10**9)
        for _ in range(60):
            now += 1
            progress.bytes(10**9)
        progress.file("tensor00000_000")
        line = progress.line()
        assert line == "importing: 1/770 files, 60.00/300.00 GB, 1.00 GB/s, 4 min left"
        assert ("\r" in stream.getvalue()) is redrawn
        assert len(f"[##........] {line}") < 80
        assert stream.getvalue().count("importing") == (60 if redrawn else 4)
    assert [duration(s) for s in (3.2, 89, 600, 7_000)] == ["3 s", "89 s", "10 min", "1 h 57 min"]


# -- the command ---------------------------------------------------------------------------------


def command(*arguments: object) -> None:
    call_command("import_grok1", *map(str, arguments))


def test_the_command_imports_a_folder_that_holds_only_ckpt_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "release").mkdir()
    shutil.copytree(CKPT, tmp_path / "release" / "ckpt-0")
    command(tmp_path / "release", tmp_path / "out", "--config", CONFIG, "--tokenizer", TOKENIZER)
    said = capsys.readouterr()
    assert "is ready" in said.out
    assert "134/134 files" in said.err
    assert manifest.check(tmp_path / "out", ["model.safetensors", "tokenizer.model", "config.json"])


def test_the_command_imports_or_says_what_is_wrong(tmp_path: Path) -> None:
    def manage(*arguments: object) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "manage.py", "import_grok1", *map(str, arguments)]
        return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60)

    done = manage(CKPT, tmp_path / "out", "--config", CONFIG, "--dtype", "float32")
    assert done.returncode == 0, done.stderr
    assert "checking: 2/2 files" in done.stderr
    assert all(torch.equal(value, naive()[name]) for name, value in tensors(tmp_path / "out").items())
    refused = manage(CKPT, tmp_path / "other")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("CommandError: tensor00134_000 is missing in ")
    assert "636 of 770" in refused.stderr
    assert not (tmp_path / "other").exists()


def test_the_command_loads_neither_torch_nor_transformers(tmp_path: Path) -> None:
    after = "print([m for m in ('torch', 'transformers', 'django', 'pickle') if m in sys.modules])"
    with start(CKPT, tmp_path / "out", CONSTANTS, SHARD_BYTES, after=after) as process:
        loaded = process.communicate(timeout=60)[0].strip()
    assert loaded in ("[]", "['pickle']")  # numpy imports pickle; nothing of ours does


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "no JSON object"),
        ('{"num_layers": 11', "no JSON object"),
        ("[" * 50_000, "no JSON object"),
        (" " * 70_000 + "{}", "no JSON object"),
        ('{"num_layers": 0}', "num_layers must be a whole number"),
        ('{"num_layers": 1e9}', "num_layers must be a whole number"),
        ('{"vocab_size": 99999999999}', "vocab_size must be a whole number"),
        ('{"emb_size": true}', "emb_size must be a whole number"),
        ('{"rope_base": NaN}', "rope_base must be a number"),
        ('{"scale_groups": 7}', "scale_groups 7 must divide"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UnusableConstants, match=words):
        read_constants(tmp_path / "config.json")
    with pytest.raises(CommandError, match=words):
        command(CKPT, tmp_path / "out", "--config", tmp_path / "config.json")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "out").write_text("x"), "is no folder"),
        (lambda folder: (folder / "out").symlink_to(folder), "is no folder"),
        (
            lambda folder: ((folder / "out").mkdir(), (folder / "out" / "notes").touch()),
            r"is not empty \(notes\)",
        ),
        (
            lambda folder: ((folder / "out").mkdir(), (folder / "out" / STATE).write_text("{")),
            "cannot be read",
        ),
    ],
)
def test_an_out_dir_with_something_in_it_is_left_alone(tmp_path: Path, spoil: Any, words: str) -> None:
    spoil(tmp_path)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    with pytest.raises(CommandError, match=words):
        command(CKPT, tmp_path / "out", "--config", CONFIG)
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is no SentencePiece model"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is no SentencePiece model"),
        (None, "cannot be read: No such file"),
    ],
)
def test_an_invalid_tokenizer_is_refused(tmp_path: Path, data: bytes | None, words: str) -> None:
    if data is not None:
        (tmp_path / "tokenizer.model").write_bytes(data)
    with pytest.raises(CommandError, match=words):
        command(CKPT, tmp_path / "out", "--config", CONFIG, "--tokenizer", tmp_path / "tokenizer.model")
    assert not (tmp_path / "out").exists()


def test_folders_inside_each_other_are_refused(tmp_path: Path) -> None:
    copy = shutil.copytree(CKPT, tmp_path / "ckpt-0")
    for out in (copy, copy / "out", tmp_path):
        with pytest.raises(CommandError, match="folders apart"):
            command(copy, out, "--config", CONFIG)
    assert len(list(copy.iterdir())) == 134


def test_the_release_s_constants_are_all_named() -> None:
    assert set(CONSTANTS) - set(RELEASE) == {"unk_token_id"}
