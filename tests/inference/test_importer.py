"""The importer: the same numbers as the naive conversion, whatever stops it meanwhile, in little memory."""

from __future__ import annotations

import functools
import io
import json
import os
import pickle
import random
import shutil
import signal
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

from inference import manifest
from inference.grok1 import Grok1Config
from inference.modelfiles import describe
from inference.release import checkpoint, convert
from inference.release.constants import RELEASE, Sizes, UnusableConstants, model_config, read_constants
from inference.release.importer import SHARD_BYTES, Import, run
from inference.release.layout import source_files, targets
from inference.release.outfolder import STATE, CannotImport, OutFolder, Work
from inference.release.progress import Progress, spoken
from inference.release.safefile import plan
from inference.release.unpickle import arrays_in
from tests.data.grok1.convert import Quantized, Reader
from tests.inference.release_pickles import (
    CKPT,
    CONFIG,
    CONSTANTS,
    DATA,
    ROOT,
    array,
    quantized,
    whole,
    write_release,
)

TOKENIZER = ROOT / "inference" / "demo" / "model" / "tokenizer.model"
SEVERAL = 1_000_000  # bytes of a shard: the reference becomes four of them in int8


def imported(target: Path, dtype: str = "int8", shard_bytes: int = SHARD_BYTES, **more: Any) -> Path:
    run(Import(CKPT, target, dtype, CONSTANTS, shard_bytes=shard_bytes, **more), Progress())
    return target


def tensors(folder: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for shard in sorted(folder.glob("*.safetensors")):
        found |= load_file(shard)
    return found


@functools.cache
def naive() -> dict[str, Tensor]:
    """What the naive conversion made of the same files: int8 * scale in float32, [out, in]."""
    return load_file(DATA / "model.safetensors")


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


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


def test_transformers_loads_it_and_answers_like_xai(tmp_path: Path) -> None:
    imported(tmp_path / "out", "float32", SEVERAL)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.float32)
    golden = np.load(DATA / "golden.npz")
    ids = torch.from_numpy(golden["len16/tokens"]).long()[None]
    with torch.no_grad():
        logits = model(ids).logits[0, torch.from_numpy(golden["len16/prefill_pos"]).long()]
    wanted = torch.from_numpy(golden["len16/prefill_logits_f32"])
    assert ((logits - wanted).abs().amax(-1) / wanted.std(-1)).max() < 1e-3


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
    wanted = Grok1Config.from_xai(CONSTANTS, architectures=["Grok1ForCausalLM"], dtype="float32")
    assert ours.to_dict() | {"_name_or_path": ""} == wanted.to_dict() | {"_name_or_path": ""}
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
    assert files[26].place == "decoder_layer_10/moe/linear"
    # sizes of xAI's own files, less 147 or 323 bytes of opcodes
    assert {file.payload for file in files[2:5]} == {1_611_137_347 - 323, 1_611_399_491 - 323}
    assert sum(target.bytes for group in targets(Sizes.of({}), "int8") for target in group) > 316e9
    shards = plan(targets(Sizes.of({}), "int8"), SHARD_BYTES)
    assert max(shard.bytes for shard in shards) <= SHARD_BYTES
    assert {place for shard in shards for target in shard.targets for place in target.sources} == set(files)


def test_every_piece_is_turned_and_rounded_like_numpy_and_torch() -> None:
    numbers = np.random.default_rng(0)
    for shape in ((1, 1), (7, 300), (256, 128), (257, 129), (600, 5)):
        matrix = numbers.integers(-128, 128, shape, np.int8)
        assert np.array_equal(convert.turned(matrix), matrix.T)
    bits = numbers.integers(0, 2**32, 200_000, np.uint32)
    values = bits.view(np.float32)[np.isfinite(bits.view(np.float32))]
    values = np.concatenate([values, np.float32([1.00390625, 1.01171875, 0.0, -0.0, 1e-45])])  # ties too
    wanted = torch.from_numpy(values.copy()).bfloat16().view(torch.int16).numpy()
    assert np.array_equal(convert.rounded(values.copy()).view(np.int16), wanted)
    assert np.array_equal(
        convert.widened(wanted.view(np.uint16)), torch.from_numpy(wanted).view(torch.bfloat16).float().numpy()
    )


# -- the files as others write them ------------------------------------------------------------


@pytest.fixture
def numpy_pickles(monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, bytes]:
    """What today's numpy and ml_dtypes write: an array, and quantized weights too long for a frame."""
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
    """What release_pickles.py writes, Python's unpickler reads as the same numbers."""
    data = whole(
        quantized(array("i1", (2, 3), b"\x01\xff\x03\x04\x05\x06"), array("bf16", (1, 3), b"\x80\x3f" * 3))
    )
    read = Reader(io.BytesIO(data)).load()
    assert read.weight.tolist() == [[1, -1, 3], [4, 5, 6]]
    assert read.scales.astype(np.float32).tolist() == [[1, 1, 1]]
    assert found_in(data) == [("i1", (2, 3), b"\x01\xff\x03\x04\x05\x06"), ("bf16", (1, 3), b"\x80\x3f" * 3)]


# -- stopped, and gone on with --------------------------------------------------------------------

GO = """
import json, sys
from pathlib import Path
from inference.release.importer import Import, run
from inference.release.progress import Progress
{before}
source, target, dtype, constants, most = sys.argv[1:]
run(Import(Path(source), Path(target), dtype, json.loads(constants), shard_bytes=int(most)), Progress())
{after}
"""
DIE_AT = """
import os, signal
sync, left = os.fsync, {left}
def dying(number):
    global left
    sync(number)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = dying
"""
# Not ru_maxrss: that begins with what the process held which started this one.
PEAK = "print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"


def start(
    source: Path,
    target: Path,
    constants: dict[str, Any],
    most: int,
    dtype: str = "int8",
    before: str = "",
    after: str = "",
) -> subprocess.Popen[str]:
    code = GO.format(before=before, after=after)
    arguments = [str(source), str(target), dtype, json.dumps(constants), str(most)]
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return files_of(imported(tmp_path_factory.mktemp("undisturbed") / "out", shard_bytes=SEVERAL))


@pytest.mark.parametrize("moment", [1, 2, 3, 6, 9, 14, 17, 20])
def test_killed_at_any_step_the_same_command_finishes(
    tmp_path: Path, undisturbed: dict[str, bytes], moment: int
) -> None:
    """Each step to the disk ends in a sync; the process dies right after one of them."""
    out = tmp_path / "out"
    with start(CKPT, out, CONSTANTS, SEVERAL, before=DIE_AT.format(left=moment)) as killed:
        assert killed.wait(60) == -signal.SIGKILL
    before = {name: (out / name).stat() for name in files_of(out) if name.endswith(".safetensors")}
    assert not (out / manifest.NAME).exists() or len(before) == 4
    imported(out, shard_bytes=SEVERAL)
    assert files_of(out) == undisturbed
    for name, status in before.items():
        assert (out / name).stat().st_ino == status.st_ino  # not written again


def test_killed_at_random_moments_until_it_finishes(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    out, patience, runs = tmp_path / "out", 0.15, 0
    moments = random.Random(7)
    while True:
        with start(CKPT, out, CONSTANTS, SEVERAL) as process:
            try:
                assert process.wait(moments.uniform(0, patience)) == 0
                break
            except subprocess.TimeoutExpired:
                process.kill()
        patience, runs = patience * 1.3, runs + 1
    assert runs > 1
    assert files_of(out) == undisturbed


def test_finished_files_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    with start(CKPT, out, CONSTANTS, SEVERAL, before=DIE_AT.format(left=8)) as killed:
        killed.wait(60)
    done = set(json.loads((out / STATE).read_text())["done"])
    assert done
    opened: set[str] = set()
    opens = checkpoint.Checkpoint.open

    def noted(self: checkpoint.Checkpoint, file: Any, reader: Any) -> checkpoint.OpenFile:
        opened.add(file.name)
        return opens(self, file, reader)

    monkeypatch.setattr(checkpoint.Checkpoint, "open", noted)
    imported(out, shard_bytes=SEVERAL)
    shards = plan(targets(Sizes.of(CONSTANTS), "int8"), SEVERAL)
    needed = {s.name for shard in shards if shard.name not in done for t in shard.targets for s in t.sources}
    assert opened == needed
    assert len(opened) < 134


def half(out: Path, **kwargs: Any) -> Path:
    with start(CKPT, out, CONSTANTS, SEVERAL, before=DIE_AT.format(left=8)) as killed:
        killed.wait(60)
    return out


def test_other_work_is_not_mixed_in(tmp_path: Path) -> None:
    out = half(tmp_path / "out")
    before = files_of(out)
    with pytest.raises(CannotImport, match="unfinished import of another --dtype"):
        imported(out, "float32", SEVERAL)
    with pytest.raises(CannotImport, match="unfinished import of another --tokenizer"):
        imported(out, shard_bytes=SEVERAL, tokenizer=TOKENIZER)
    with pytest.raises(CannotImport, match="unfinished import of another --config"):
        run(Import(CKPT, out, "int8", CONSTANTS | {"rope_base": 20_000}, shard_bytes=SEVERAL), Progress())
    copy = shutil.copytree(CKPT, tmp_path / "ckpt-0")  # keeps the times of change
    os.utime(copy / "tensor00077_000")
    with pytest.raises(CannotImport, match="unfinished import of other files"):
        run(Import(copy, out, "int8", CONSTANTS, shard_bytes=SEVERAL), Progress())
    assert files_of(out) == before
    shutil.rmtree(copy)
    shutil.copytree(CKPT, copy)  # the same release from another place: goes on
    run(Import(copy, out, "int8", CONSTANTS, shard_bytes=SEVERAL), Progress())
    assert manifest.check(out, [])


def test_a_second_import_at_once_is_refused(tmp_path: Path) -> None:
    out = half(tmp_path / "out")
    work = json.loads((out / STATE).read_text())["work"]
    first = OutFolder(out, Work(**work), ["config.json"])
    first.begin()
    try:
        with pytest.raises(CannotImport, match="another import is writing"):
            imported(out, shard_bytes=SEVERAL)
    finally:
        first.release()


def test_the_same_command_again_does_nothing(tmp_path: Path) -> None:
    out = imported(tmp_path / "out")
    before = {file: file.stat().st_mtime_ns for file in out.iterdir()}
    said = io.StringIO()
    run(Import(CKPT, out, "int8", CONSTANTS), Progress(said))
    assert "finished" in said.getvalue()
    assert {file: file.stat().st_mtime_ns for file in out.iterdir()} == before
    with pytest.raises(CannotImport, match="is not empty"):
        imported(out, "float32")


def test_what_the_disk_gives_back_wrongly_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    keep = OutFolder.keep

    def damaging(self: OutFolder, name: str, sha256: str) -> None:
        if name == "model-00002-of-00004.safetensors":
            with self.part(name).open("r+b") as file:
                file.seek(500_000)
                byte = file.read(1)
                file.seek(500_000)
                file.write(bytes([byte[0] ^ 1]))
        keep(self, name, sha256)

    monkeypatch.setattr(OutFolder, "keep", damaging)
    with pytest.raises(OSError, match="model-00002-of-00004.safetensors reads back differently from what"):
        imported(out, shard_bytes=SEVERAL)
    assert not (out / manifest.NAME).exists()
    monkeypatch.undo()
    imported(out, shard_bytes=SEVERAL)
    assert manifest.check(out, [])


# -- memory, disk, progress ------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel does not tell peaks")
@pytest.mark.parametrize("dtype", ["int8", "bfloat16"])
def test_memory_stays_below_three_times_the_largest_tensor(tmp_path: Path, dtype: str) -> None:
    """The whole process, interpreter included, against the largest tensor of the release as it is stored."""
    constants = {"emb_size": 1024, "num_layers": 1, "num_q_heads": 8, "num_kv_heads": 1, "vocab_size": 9_000}
    source = write_release(tmp_path, constants)
    largest = max(file.payload for file in source_files(Sizes.of(constants)))
    assert largest > 44e6
    with start(source, tmp_path / "out", constants, SHARD_BYTES, dtype, after=PEAK) as process:
        peak = int(process.communicate(timeout=60)[0]) * 1024
    assert process.returncode == 0
    assert peak <= 3 * largest, f"{peak / 1e6:.0f} MB for a tensor of {largest / 1e6:.0f} MB"


def test_a_full_disk_is_foretold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=3_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CannotImport, match=r"not enough disk for .*out: needs 0\.01 GB, 0\.00 GB free"):
        imported(tmp_path / "deep" / "out", "float32")
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_keeps_what_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync
    calls = 0

    def full(number: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 8:
            raise OSError(28, "No space left on device")
        fsync(number)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        imported(tmp_path / "out", shard_bytes=SEVERAL)
    monkeypatch.undo()
    assert json.loads((tmp_path / "out" / STATE).read_text())["done"]
    imported(tmp_path / "out", shard_bytes=SEVERAL)
    assert manifest.check(tmp_path / "out", [])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_and_in_a_log() -> None:
    for stream, redrawn in ((Terminal(), True), (io.StringIO(), False)):
        now = 100.0
        progress = Progress(stream, clock=lambda: now)  # noqa: B023 - read at once
        progress.begin("importing", 770, 300 * 10**9)
        for _ in range(60):
            now += 1
            progress.bytes(10**9)
        progress.file()
        line = progress.line()
        assert line == "importing: 1/770 files, 60.00/300.00 GB, 1.00 GB/s, 4 min left"
        assert ("\r" in stream.getvalue()) is redrawn
        assert stream.getvalue().count("importing") == (60 if redrawn else 4)
    assert [spoken(s) for s in (3.2, 89, 600, 7_000)] == ["3 s", "89 s", "10 min", "1 h 57 min"]


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


def test_the_command_as_a_process(tmp_path: Path) -> None:
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


def test_folders_inside_each_other_are_refused(tmp_path: Path) -> None:
    copy = shutil.copytree(CKPT, tmp_path / "ckpt-0")
    for out in (copy, copy / "out", tmp_path):
        with pytest.raises(CommandError, match="folders apart"):
            command(copy, out, "--config", CONFIG)
    assert len(list(copy.iterdir())) == 134


def test_the_release_s_constants_are_all_named() -> None:
    assert set(CONSTANTS) - set(RELEASE) == {"unk_token_id"}
