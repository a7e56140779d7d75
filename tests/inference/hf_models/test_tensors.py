"""Weights that are missing, or of another network, are refused; they would be random numbers otherwise."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.engines.local import LocalEngine
from inference.hf_models.loading import load_model
from inference.model_dir.describe import ModelUnusable
from tests.inference.hf_folders import KINDS, change_json, change_weights, make_folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("kinds")
    return {kind: make_folder(root / kind, kind) for kind in KINDS}


@pytest.fixture
def folder(folders: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(folders["olmoe"], tmp_path / "model"))


def refusal(path: Path) -> str:
    with pytest.raises(ModelUnusable) as refused:
        LocalEngine(path, slots=1, threads=1)
    return str(refused.value)


def without(part: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda tensors: {name: one for name, one in tensors.items() if part not in name}


def test_missing_experts_are_counted_and_named(folder: Path) -> None:
    change_weights(folder, without("layers.1.mlp"))
    expected = (
        r"13 of 45 tensors are missing in .*: model.layers.1.mlp.experts.0.down_proj.weight, model.*, …;"
    )
    assert re.search(expected, refusal(folder))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["lm_head", "layers.1.self_attn.o_proj", "layers.0.input_layernorm"])
def test_each_missing_tensor_is_named(folders: dict[str, Path], tmp_path: Path, kind: str, part: str) -> None:
    copy = Path(shutil.copytree(folders[kind], tmp_path / "copy"))
    change_weights(copy, without(part))
    assert re.search(rf"1 of \d+ tensors are missing in .*: [\w.]*{part}", refusal(copy))


def test_one_missing_expert_is_named(folders: dict[str, Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folders["mixtral"], tmp_path / "copy"))
    change_weights(copy, without("layers.0.block_sparse_moe.experts.3.w2"))
    assert re.search(
        r"1 of 41 tensors are missing in .*layers.0.block_sparse_moe.experts.3.w2", refusal(copy)
    )


def test_a_tied_head_is_not_missed(folder: Path) -> None:
    change_json(folder, tie_word_embeddings=True)
    change_weights(folder, without("lm_head"))
    model = load_model(folder, slots=1)
    assert torch.equal(model.lm_head.weight, model.model.embed_tokens.weight)


def test_names_of_another_wrapper_are_refused(folder: Path) -> None:
    change_weights(folder, lambda tensors: {f"base.{name}": one for name, one in tensors.items()})
    line = refusal(folder)
    assert re.search("no tensor of this network is in .*names are like base.lm_head.weight, not like", line)


def test_a_network_saved_without_its_head_is_served_where_the_head_is_the_embedding(folder: Path) -> None:
    change_json(folder, tie_word_embeddings=True)
    before = load_file(folder / "model.safetensors")
    change_weights(
        folder,
        lambda tensors: {
            name.removeprefix("model."): one for name, one in tensors.items() if name != "lm_head.weight"
        },
    )
    model = load_model(folder, slots=1)
    assert torch.equal(model.model.norm.weight, before["model.norm.weight"])
    assert torch.equal(
        model.model.layers[1].self_attn.q_proj.weight, before["model.layers.1.self_attn.q_proj.weight"]
    )


def test_weights_of_more_than_config_says_are_refused(folder: Path) -> None:
    change_json(folder, num_hidden_layers=1)
    assert re.search("holds 21 tensors that config.json leaves out: model.layers.1", refusal(folder))


def test_other_shapes_are_refused(folder: Path) -> None:
    change_json(folder, intermediate_size=40)
    assert re.search(r"is \[\d+, \d+\], config.json asks for \[\d+, \d+\]", refusal(folder))


def test_weights_that_are_no_numbers_are_refused(folder: Path) -> None:
    def spoil(tensors: dict[str, Any]) -> dict[str, Any]:
        tensors["model.norm.weight"][0] = float("nan")
        return tensors

    change_weights(folder, spoil)
    assert "a trial step gave logits that are no finite numbers" in refusal(folder)


# -- shards --------------------------------------------------------------------------------------------


def shard(folder: Path) -> None:
    """Puts the weights into two files with an index, as big models have them."""
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    places = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(names)}
    for file in set(places.values()):
        save_file({n: tensors[n] for n in names if places[n] == file}, folder / file, {"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))


def test_a_stale_file_beside_shards_is_named(folder: Path) -> None:
    shard(folder)
    change_weights(folder, without("layers.1"))
    line = refusal(folder)
    assert re.search("holds both model.safetensors and an index of 2 other weight files", line)
    assert "remove model.safetensors, or model.safetensors.index.json and its files" in line
    (folder / "model.safetensors").unlink()
    load_model(folder, slots=1)


def test_an_index_whose_files_are_gone_does_no_harm(folder: Path) -> None:
    shard(folder)
    for file in folder.glob("model-*.safetensors"):
        file.unlink()
    load_model(folder, slots=1)


def test_shards_without_their_index_are_named(folder: Path) -> None:
    shard(folder)
    for name in ("model.safetensors", "model.safetensors.index.json"):
        (folder / name).unlink()
    assert re.search(
        "model-00001-of-00002.safetensors is there, but no model.safetensors.index.json", refusal(folder)
    )
