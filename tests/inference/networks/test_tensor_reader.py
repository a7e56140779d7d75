"""Tensors are read as safetensors reads them, whatever the pieces, the dtype and the place they go to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.model_dir.headers import ModelUnusable
from inference.networks import tensor_reader
from inference.networks.tensor_reader import DTYPES, TensorReader

SHAPES = {"scalar": (), "vector": (70,), "matrix": (37, 6), "wide": (3, 90), "experts": (4, 9, 5)}


@pytest.fixture(params=[2**24, 60], ids=["whole", "in pieces of 60 bytes"])
def shards(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two files with tensors of every kind; a large header puts their beginnings at odd places."""
    monkeypatch.setattr(tensor_reader, "PIECE", request.param)
    generator = torch.Generator().manual_seed(3)
    files = []
    for number, dtypes in enumerate((list(DTYPES.values())[:7], list(DTYPES.values())[7:])):
        tensors = {
            f"{name}-{dtype}": torch.randint(0, 2, shape, generator=generator).to(dtype)
            for name, shape in SHAPES.items()
            for dtype in dtypes
        }
        files.append(tmp_path / f"{number}.safetensors")
        save_file(tensors, files[-1], {"format": "pt"})
    return files


def stored(shards: list[Path]) -> dict[str, torch.Tensor]:
    return {name: tensor for shard in shards for name, tensor in load_file(shard).items()}


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Compares bits: torch compares no numbers of eight bits."""
    bits = [tensor.contiguous().view(-1).view(torch.uint8) for tensor in (one, other)]
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(*bits)


def test_every_tensor_is_the_one_that_safetensors_reads(shards: list[Path]) -> None:
    reader = TensorReader(shards)
    for name, expected in stored(shards).items():
        assert same(reader.whole(name), expected), name
        filled = torch.empty_like(expected)
        reader.fill(name, filled)
        assert same(filled, expected), name
        joined = torch.empty_like(expected)
        for index, part in reader.parts(name):
            joined[index].copy_(part)
        assert same(joined, expected), name


def test_tensors_are_converted_to_the_dtype_of_their_place(shards: list[Path]) -> None:
    reader = TensorReader(shards)
    for name, expected in stored(shards).items():
        filled = torch.empty(expected.shape)
        reader.fill(name, filled)
        assert torch.equal(filled, expected.float()), name


def test_a_place_may_be_a_part_of_a_merged_or_transposed_tensor(shards: list[Path]) -> None:
    reader = TensorReader(shards)
    name = "experts-torch.float32"
    expected = stored(shards)[name]
    merged, turned = torch.zeros(4, 18, 5), torch.zeros(4, 5, 9)
    reader.fill(name, merged[:, 9:])
    reader.fill(name, turned.transpose(1, 2))
    assert torch.equal(merged, torch.cat([torch.zeros(4, 9, 5), expected], 1))
    assert torch.equal(turned, expected.transpose(1, 2))
    assert torch.equal(reader.whole(name, 2), expected[2])


@pytest.mark.parametrize(("kind", "at"), [("experts", 4), ("experts", -1), ("scalar", 0)])
def test_a_part_that_a_tensor_does_not_have_is_refused(shards: list[Path], kind: str, at: int) -> None:
    """The bytes there belong to another tensor."""
    with pytest.raises(ModelUnusable, match=f"so there is no part {at} of it"):
        TensorReader(shards).whole(f"{kind}-torch.float32", at)


def test_small_matrices_are_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A convolution has one for each of its thousands of channels."""
    monkeypatch.setattr(tensor_reader, "PIECE", 400)
    convolution = torch.arange(100.0 * 4).view(100, 1, 4)
    save_file({"convolution": convolution}, tmp_path / "model.safetensors")
    parts = TensorReader([tmp_path / "model.safetensors"]).parts("convolution")
    joined = [(index, part.clone()) for index, part in parts]
    assert [index for index, _part in joined] == [(slice(at, at + 25),) for at in (0, 25, 50, 75)]
    assert torch.equal(torch.cat([part for _index, part in joined]), convolution)


def write_anew(shard: Path, data: bytes) -> None:
    shard.write_bytes(data)


def rename_over(shard: Path, data: bytes) -> None:
    """Replaces a file as programs do that write beside it first; its times are those of the old one."""
    new, old = shard.with_suffix(".new"), shard.stat()
    new.write_bytes(data)
    os.utime(new, ns=(old.st_atime_ns, old.st_mtime_ns))
    new.rename(shard)


@pytest.mark.parametrize("replace", [write_anew, rename_over])
def test_a_file_that_is_replaced_while_it_is_read_is_refused(
    shards: list[Path], replace: Callable[[Path, bytes], None]
) -> None:
    name, words = "experts-torch.float32", "0.safetensors was replaced while it was read"
    os.utime(shards[0], ns=(0, 0))
    reader = TensorReader(shards)
    out = reader.whole(name)
    replace(shards[0], shards[0].read_bytes()[::-1])
    with pytest.raises(ModelUnusable, match=words):
        reader.whole(name)
    with pytest.raises(ModelUnusable, match=words):
        reader.fill(name, out)
    with pytest.raises(ModelUnusable, match=words):
        next(reader.parts(name))


def test_a_file_that_becomes_shorter_is_refused(shards: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_reader, "PIECE", 60)
    reader = TensorReader(shards)
    parts = reader.parts("matrix-torch.float32")
    next(parts)
    shard = reader.places["matrix-torch.float32"].file
    shard.write_bytes(shard.read_bytes()[: reader.places["matrix-torch.float32"].start + 61])
    with pytest.raises(ModelUnusable, match="has become shorter while it was read"):
        list(parts)
