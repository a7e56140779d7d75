"""A header that cannot be true is refused in one line that can be printed, whatever stands in it."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from inference.base.lines import Line, english, line_of
from inference.model_dir.headers import ModelUnusable, Stored, read_headers, read_places


def made(tmp_path: Path, header: str, size: int) -> tuple[Path, ...]:
    """Writes a file with this header and so many bytes behind it."""
    file = tmp_path / "model.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header.encode() + bytes(size))
    return (file,)


def entry(first: int, last: int, dtype: str = "U8") -> dict[str, Any]:
    return {"dtype": dtype, "shape": [last - first], "data_offsets": [first, last]}


def refusal(files: tuple[Path, ...]) -> str:
    with pytest.raises(ModelUnusable) as refused:
        read_headers(files)
    line = str(refused.value)
    assert line.isprintable()
    return line


@pytest.mark.parametrize(
    ("shape", "offsets"),
    [
        ("[Infinity]", "[0, 8]"),
        ("[1e999]", "[0, 8]"),
        ("[NaN]", "[0, 8]"),
        ("[8.0]", "[0, 8]"),
        ('["8"]', "[0, 8]"),
        ("[true, 8]", "[0, 8]"),
        ("[-1, -8]", "[0, 8]"),
        ('"8"', "[0, 8]"),
        ("[8]", "[0.0, 8]"),
        ("[8]", "[false, 8]"),
        ("[8]", "[0, 8.0]"),
        ("[8]", "[0, Infinity]"),
        ("[8]", "[-8, 0]"),
    ],
)
def test_sizes_and_offsets_are_whole_numbers(tmp_path: Path, shape: str, offsets: str) -> None:
    header = f'{{"one": {{"dtype": "U8", "shape": {shape}, "data_offsets": {offsets}}}}}'
    words = "one has a size or an offset that is no whole number from 0 on"
    assert words in refusal(made(tmp_path, header, 8))


@pytest.mark.parametrize(
    ("places", "words"),
    [
        ([(0, 6), (4, 8)], "1 begins at byte 4 of the numbers, the tensor before it ends at 6"),
        ([(0, 8), (0, 8)], "1 begins at byte 0 of the numbers, the tensor before it ends at 8"),
        ([(0, 3), (4, 8)], "1 begins at byte 4 of the numbers, the tensor before it ends at 3"),
        ([(2, 8)], "0 begins at byte 2 of the numbers, the tensor before it ends at 0"),
        ([(0, 6)], "its header promises"),
    ],
    ids=["overlap", "the same bytes", "gap", "gap at the beginning", "gap at the end"],
)
def test_tensors_follow_each_other_without_gaps(
    tmp_path: Path, places: list[tuple[int, int]], words: str
) -> None:
    header = json.dumps({str(number): entry(*place) for number, place in enumerate(places)})
    assert words in refusal(made(tmp_path, header, 8))


def test_tensors_stand_in_any_order_and_may_be_empty(tmp_path: Path) -> None:
    header = json.dumps({"b": entry(4, 8), "full": entry(0, 4), "none": entry(4, 4), "end": entry(8, 8)})
    places = read_places(made(tmp_path, header, 8))
    assert {name: one.start - places["full"].start for name, one in places.items()} == {
        "b": 4,
        "full": 0,
        "none": 4,
        "end": 8,
    }


def test_empty_tensors_that_safetensors_writes_are_read(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    shapes = {"a": (0, 3), "b": (2, 2), "c": (4, 0), "d": (5,), "e": (0,)}
    save_file({name: torch.zeros(shape) for name, shape in shapes.items()}, file)
    assert read_headers((file,)) == {name: Stored(shape, "F32") for name, shape in shapes.items()}


def test_a_name_in_a_file_begins_no_other_line(tmp_path: Path) -> None:
    name = "one\nmodel: all is well \x1b[2J\ud800"
    header = json.dumps({name: entry(0, 8, dtype="X\r9")})
    assert "one?model: all is well ?[2J? in " in refusal(made(tmp_path, header, 8))


def test_a_printable_refusal_still_has_its_template() -> None:
    inner = english("no %(file)s", file="a\tb")
    said = line_of(ModelUnusable(english("%(inner)s in %(folder)s", inner=inner, folder="/ü")))
    assert (said, type(said)) == ("no a?b in /ü", Line)
    assert isinstance(said, Line)
    assert isinstance(said.values["inner"], Line)
