"""A folder whose files are not those of its manifest is refused, in one line that names the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.model_dir import manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("config.json", "{}"), ("model.safetensors", "weights " * 1000)):
        (tmp_path / name).write_text(text)
    files = {name: manifest.entry_of(tmp_path / name) for name in ("config.json", "model.safetensors")}
    manifest.write(tmp_path, files, made_by="test")
    return tmp_path


def flip_a_bit(folder: Path) -> None:
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[4000] ^= 1
    (folder / "model.safetensors").write_bytes(data)


def name_a_file_outside(folder: Path) -> None:
    value = json.loads((folder / manifest.NAME).read_text())
    value["files"]["../config.json"] = value["files"].pop("config.json")
    (folder / manifest.NAME).write_text(json.dumps(value))


def test_an_untouched_folder_passes(folder: Path) -> None:
    assert manifest.check(folder, ["config.json", "model.safetensors"])


def test_a_folder_without_one_has_nothing_to_check(tmp_path: Path) -> None:
    assert not manifest.check(tmp_path, ["config.json"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (flip_a_bit, "model.safetensors .* was changed"),
        (lambda folder: (folder / "model.safetensors").write_text("short"), "5 bytes"),
        (lambda folder: (folder / "config.json").unlink(), "config.json .* missing"),
        (lambda folder: (folder / manifest.NAME).write_text("{"), "cannot be read"),
        (lambda folder: (folder / manifest.NAME).write_text('{"format": 2}'), "not a manifest"),
        (name_a_file_outside, "not a manifest"),
    ],
)
def test_a_refusal_names_the_difference(folder: Path, change: Callable[[Path], object], words: str) -> None:
    change(folder)
    with pytest.raises(manifest.ManifestMismatch, match=words):
        manifest.check(folder, [])


def test_a_file_the_manifest_does_not_know_is_refused_where_it_is_needed(folder: Path) -> None:
    (folder / "extra.safetensors").write_text("x")
    with pytest.raises(manifest.ManifestMismatch, match="extra.safetensors"):
        manifest.check(folder, ["extra.safetensors"])
