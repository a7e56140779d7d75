"""Folders of Grok-2 are recognised by their class, and incomplete or other ones are refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.model_dir.describe import GROK2, ModelUnusable, describe
from tests.inference.grok2_folders import make_folder, make_weights
from tests.inference.hf_folders import change_json


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("grok2") / "grok-2", make_weights())


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "grok-2"))


def weights_of(folder: Path, number: int, rank: str) -> Path:
    return folder / f"pytorch_model-{number:05}-TP-{rank}.safetensors"


def change_weights(file: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    save_file(change(load_file(file)), file)


def test_describe_knows_a_folder_of_the_release(folder: Path) -> None:
    files = describe(folder)
    assert (files.model_type, files.slug, files.context) == (GROK2, "grok-2", 256)
    assert files.tokenizer == "tokenizer.tok.json"
    assert len(files.shards) == 15 + 3 * 8
    assert files.cached_numbers == 2 * 2 * 2 * 16  # layers, keys and values, heads, size
    assert files.parameters == sum(tensor.size for tensor in make_weights().values())


def test_the_class_alone_is_not_enough_to_be_grok2(folder: Path) -> None:
    """Folders of Grok-1 that others converted name the same class."""
    change_json(folder, residual_moe=False)
    with pytest.raises(ModelUnusable, match="tokenizer.json"):
        describe(folder)


def remove_key(folder: Path, name: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    del config[name]
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            lambda f: weights_of(f, 7, "003").unlink(),
            r"1 weight file is missing in .*: pytorch_model-00007-TP-003\.safetensors$",
        ),
        (
            lambda f: [weights_of(f, 6, f"00{rank}").unlink() for rank in (5, 6, 7)],
            r"3 weight files are missing in .*: pytorch_model-00006-TP-005\.safetensors, pytorch_model-00006",
        ),
        (
            lambda f: [weights_of(f, 8, f"{rank:03}").unlink() for rank in range(8)],
            r"tensors are missing in .*\.w3\.weight, which the release has in "
            r"pytorch_model-00008-TP-000 to 007\.safetensors",
        ),
        (
            lambda f: weights_of(f, 17, "common").unlink(),
            r"model\.layers\.0\.block_sparse_moe\.gate\.weight, which the release has in "
            r"pytorch_model-00017-TP-common\.safetensors",
        ),
        (
            lambda f: [file.unlink() for file in f.glob("*.safetensors")],
            "no weights of Grok-2 .* end with -TP-common.safetensors",
        ),
        (
            lambda f: shutil.copy(weights_of(f, 6, "007"), weights_of(f, 6, "008")),
            "pytorch_model-00006-TP-008.safetensors .* more than 8 ranks",
        ),
        (
            lambda f: shutil.copy(weights_of(f, 1, "common"), weights_of(f, 18, "common")),
            "lm_head.weight lies in two weight files",
        ),
        (
            lambda f: change_weights(weights_of(f, 6, "002"), lambda t: dict(list(t.items())[1:])),
            "lies in 7 of 8 files",
        ),
        (
            lambda f: change_weights(
                weights_of(f, 6, "002"), lambda t: {name: one[:-1].contiguous() for name, one in t.items()}
            ),
            "the parts of .* differ in shape or dtype",
        ),
        (
            lambda f: change_weights(
                weights_of(f, 2, "common"), lambda t: {n: one.int() for n, one in t.items()}
            ),
            r"model\.norm\.weight in .* is I32, not F32 or BF16 or F16",
        ),
        (
            lambda f: change_weights(
                weights_of(f, 2, "common"), lambda t: t | {"model.layers.2.bias": torch.zeros(1)}
            ),
            "tensors that are no part of this Grok-2: model.layers.2.bias",
        ),
        (lambda f: weights_of(f, 9, "common").write_bytes(b"\1"), "damaged or half-written"),
        (
            lambda f: change_json(f, moe_intermediate_size=40),
            r"is \[48, 64\], config\.json asks for \[40, 64\]",
        ),
        (lambda f: change_json(f, num_hidden_layers=1), r"no part of this Grok-2: model\.layers\.1\."),
        (lambda f: change_json(f, num_local_experts=0), "num_local_experts must be a whole number above 0"),
        (lambda f: remove_key(f, "head_dim"), "head_dim must be a whole number above 0"),
        (lambda f: change_json(f, rope_theta="big"), "rope_theta must be a number above 0"),
        (
            lambda f: change_json(f, attn_logit_softcapping=float("nan")),
            "attn_logit_softcapping must be a number",
        ),
        (
            lambda f: change_json(f, attn_temperature_len="long"),
            "attn_temperature_len must be a whole number",
        ),
        (
            lambda f: change_json(f, num_key_value_heads=3),
            r"num_attention_heads \(4\) must be a multiple of num_k",
        ),
        (lambda f: change_json(f, head_dim=15), r"head_dim \(15\) must be a multiple of 2"),
        (lambda f: change_json(f, num_experts_per_tok=9), "num_experts_per_tok is above num_local_experts"),
        (
            lambda f: change_json(f, rope_type="yarn"),
            "rope_type is 'yarn'; Grok-2 is computed here only with 'orig",
        ),
        (lambda f: change_json(f, sliding_window_size=64), "sliding_window_size is 64; .* only with -1"),
        (lambda f: change_json(f, eos_token_id="end"), "eos_token_id is 'end', not a token id"),
        (lambda f: change_json(f, quantization_config={"quant_method": "awq"}), "quantised weights"),
        (
            lambda f: (f / "tokenizer.tok.json").unlink(),
            "no tokenizer.json or tokenizer.tok.json in",
        ),
    ],
)
def test_an_incomplete_or_other_folder_is_refused_with_the_reason(
    folder: Path, damage: Callable[[Path], object], words: str
) -> None:
    damage(folder)
    with pytest.raises(ModelUnusable, match=words):
        describe(folder)
