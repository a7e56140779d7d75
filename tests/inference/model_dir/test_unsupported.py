"""A folder that is no servable model is refused in one line, with the actual cause and the next step."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.engines.local import LocalEngine
from inference.model_dir.describe import ModelUnusable, describe
from tests.inference.hf_folders import change_json, change_weights, make_folder, relabel

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 9\n"
COMMIT = "ad44e777bcd18fa416d9da3bd8f70d33ebb85d39"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("whole") / "model")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


def refusal(path: Path) -> str:
    """Returns why a worker does not start with this path."""
    with pytest.raises(ModelUnusable) as refused:
        LocalEngine(path, slots=1, threads=1)
    line = str(refused.value)
    assert "\n" not in line
    return line


def pointer(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(POINTER)


def text(name: str, words: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(words)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (pointer("model.safetensors"), "model.safetensors in .* is a Git LFS pointer.*git lfs pull"),
        (pointer("tokenizer.json"), "tokenizer.json in .* is a Git LFS pointer.*git lfs pull"),
        (pointer("chat_template.jinja"), "chat_template.jinja in .* is a Git LFS pointer"),
        (pointer("config.json"), "config.json in .* is a Git LFS pointer"),
        (pointer("tokenizer_config.json"), "tokenizer_config.json in .* is a Git LFS pointer"),
        (text("config.json", '{"model_type": "olm'), r"config.json in .* is not JSON"),
        (text("config.json", "[" * 100_000), r"config.json in .* is not JSON"),
        (text("config.json", "[1]"), "config.json in .* is not a JSON object"),
        (text("config.json", '{"model_type": ["olmoe"]}'), r"model_type is \['olmoe'\], not a name"),
        (text("generation_config.json", "{"), "generation_config.json in .* is not JSON"),
        (text("tokenizer.json", "{"), "tokenizer.json in .* is not JSON"),
        (text("tokenizer.json", '{"model": 7}'), r"tokenizer in .* \(tokenizer.json, .* cannot be loaded"),
        (text("tokenizer_config.json", "null"), "tokenizer_config.json in .* is not a JSON object"),
        (text("special_tokens_map.json", "{"), "special_tokens_map.json in .* is not JSON"),
        (lambda f: change_json(f, eos_token_id="</s>"), "config.json in .*: eos_token_id is '</s>'"),
        (lambda f: change_json(f, eos_token_id=[3, "x"]), "config.json in .*: eos_token_id is"),
        (
            lambda f: change_json(f, "generation_config.json", eos_token_id=True),
            "generation_config.json in .*: eos_token_id is True",
        ),
        (lambda f: change_json(f, rms_norm_eps="small"), "config.json in .* cannot be used: .*rms_norm_eps"),
        (lambda f: change_json(f, hidden_act="swash"), "config.json in .* cannot be used: .*swash"),
        (
            lambda f: change_json(f, "generation_config.json", max_new_tokens=-3),
            "generation_config.json in .* cannot be used: .*max_new_tokens",
        ),
    ],
)
def test_a_broken_file_is_named(folder: Path, damage: Callable[[Path], object], words: str) -> None:
    damage(folder)
    assert re.search(words, refusal(folder))


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: change_json(f, quantization_config={"quant_method": "awq", "bits": 4}),
        lambda f: change_json(f, quantization_config={"quant_method": "gptq"}),
        lambda f: change_json(f, quantization={"group_size": 64, "bits": 4}),  # MLX
        text("quantize_config.json", '{"bits": 4}'),
        lambda f: relabel(f, "q_proj", "F8_E4M3", [128, 32]),
        lambda f: relabel(f, "q_proj", "U32", [32, 32]),
        lambda f: relabel(f, "q_proj", "F4", [256, 32]),
        lambda f: change_weights(
            f, lambda t: {n.replace("q_proj.weight", "q_proj.qweight"): t[n] for n in t}
        ),
    ],
    ids=["awq", "gptq", "mlx", "gptq file", "fp8", "packed", "fp4", "qweight"],
)
def test_quantised_weights_are_called_that(folder: Path, damage: Callable[[Path], object]) -> None:
    damage(folder)
    assert re.search("holds quantised weights.*: get the float32, float16 or bfloat16", refusal(folder))


def test_gguf_is_called_that_as_a_file_and_in_a_folder(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.Q4_K_M.gguf"
    file.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
    unnamed = tmp_path / "blob"
    shutil.copy(file, unnamed)
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(file, alone)
    for path in (file, unnamed, alone):
        assert re.search(
            "GGUF, which is not read here; give .* safetensors.*llama-server .*GROKWEB_MODEL=http",
            refusal(path),
        )
    (folder / "model.safetensors").unlink()
    shutil.copy(file, folder)
    assert re.search("no model.safetensors in .*GGUF, which is not read here", refusal(folder))


@pytest.mark.parametrize("inside", ["ckpt-0", "."])
def test_the_release_is_to_be_imported(tmp_path: Path, inside: str) -> None:
    (tmp_path / inside).mkdir(exist_ok=True)
    (tmp_path / inside / "tensor00000_000").write_bytes(b"x")
    expected = f"is xAI's release of Grok-1: .*`manage.py import_grok1 {tmp_path / inside} OUT_DIR`"
    assert re.search(expected, refusal(tmp_path))


def test_an_adapter_alone_is_to_be_merged(folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "adapter"
    alone.mkdir()
    (alone / "adapter_model.safetensors").write_bytes(b"")
    (alone / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "Org/Name"}))
    expected = "holds an adapter alone for Org/Name: merge it into its model"
    assert expected in refusal(alone)
    (folder / "model.safetensors").unlink()
    for file in alone.iterdir():
        shutil.copy(file, folder)
    assert expected in refusal(folder)


def test_formats_that_can_run_code_are_not_opened(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert re.search("pytorch_model.bin is not opened here .* safetensors", refusal(folder))


def test_a_tokenizer_of_another_format_is_not_enough(folder: Path) -> None:
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")
    assert re.search("no tokenizer.json in .*: tokenizer.model alone is not read here", refusal(folder))


# -- the cache of Hugging Face -------------------------------------------------------------------------


def cached(folder: Path, cache: Path) -> Path:
    """Moves a folder to where a download leaves it: links to blobs."""
    place = cache / "models--Org--Name-8x7B" / "snapshots" / COMMIT
    blobs = place.parent.parent / "blobs"
    blobs.mkdir(parents=True)
    place.mkdir(parents=True)
    for file in list(folder.iterdir()):
        os.link(file, blobs / file.name)
        (place / file.name).symlink_to(blobs / file.name)
    return place


def test_a_folder_of_the_cache_has_its_models_name(folder: Path, tmp_path: Path) -> None:
    place = cached(folder, tmp_path / "hub")
    (tmp_path / "current").symlink_to(place)
    for path in (place, tmp_path / "current"):
        files = describe(path)
        assert (files.name, files.slug) == ("Org/Name-8x7B", "org-name-8x7b")
    (place / "grokweb.json").write_text('{"name": "Ours", "slug": "ours"}')
    assert (describe(place).name, describe(place).slug) == ("Ours", "ours")


def test_the_parent_of_a_cached_folder_says_which_one_to_give(folder: Path, tmp_path: Path) -> None:
    place = cached(folder, tmp_path / "hub")
    assert refusal(place.parent.parent).endswith(f"give {place}")
    assert "models--Org--Name-8x7B/snapshots" in refusal(tmp_path / "hub")


def test_a_long_folder_name_gets_a_short_slug(folder: Path) -> None:
    long = folder.rename(folder.parent / ("a" * 63 + "-tail"))
    assert describe(long).slug == "a" * 63
