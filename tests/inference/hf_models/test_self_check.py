"""A model whose answers depend on how it is fed is refused, or fed in a way in which they do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.masking_utils import causal_mask_function

from inference.engines.local import LocalEngine
from inference.hf_models import masks, self_check
from inference.hf_models.frequencies import fix_frequencies
from inference.hf_models.self_check import find_way
from inference.model_dir.describe import ModelUnusable
from tests.inference.hf_folders import SIZES, change_weights, make_folder

FOLDER = Path("models/tiny")


def model_of(kind: str, **sizes: Any) -> Any:
    torch.manual_seed(3)
    model: Any = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SIZES | sizes))
    return model.eval().requires_grad_(False)


def spoil(model: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Returns the model with logits that go through `change`: [n, T, V]."""
    model.lm_head.register_forward_hook(lambda _module, _given, out: change(out))
    return model


def test_a_model_that_mixes_the_rows_of_a_pass_gets_one_row_at_a_time() -> None:
    model = spoil(model_of("llama"), lambda out: out + out.mean(0, keepdim=True).roll(1, -1))
    assert find_way(model, FOLDER) == "in turn"


def test_a_model_that_mixes_prompts_gets_a_pass_for_each(caplog: pytest.LogCaptureFixture) -> None:
    def mix(out: torch.Tensor) -> torch.Tensor:
        return out + out.mean(0, keepdim=True).roll(1, -1) if out.shape[1] > 1 < out.shape[0] else out

    with caplog.at_level("INFO", self_check.log.name):
        assert find_way(spoil(model_of("llama"), mix), FOLDER) == "prompts in turn"
    assert "tiny cannot be computed together: logits differ" in caplog.text
    assert "tiny passed the self-check; its passes: prompts in turn" in caplog.text


def test_a_model_that_depends_on_the_chunks_is_refused_by_name() -> None:
    model = spoil(model_of("llama"), lambda out: out * out.shape[1] ** 0.5)
    with pytest.raises(ModelUnusable) as refused:
        find_way(model, FOLDER)
    line = str(refused.value)
    assert re.search(r"tiny is a LlamaForCausalLM \(llama\), whose answers depend .* divided", line)
    assert re.search(r"apart: logits differ .* 0\.0002 and 0\.002 are allowed", line)
    assert "GROKWEB_MODEL=http://HOST:PORT/v1#NAME" in line
    assert "\n" not in line


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_forgotten_window_is_found(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    """The text of the check is shorter than the window, which it shortens."""
    model = model_of("mistral", sliding_window=128).to(dtype)
    assert find_way(model, FOLDER) == "together"
    assert model.config.sliding_window == 128
    honest = masks._allowed
    monkeypatch.setattr(
        masks, "_allowed", lambda positions, length, _window: honest(positions, length, causal_mask_function)
    )
    assert find_way(model, FOLDER) == "apart"


def test_a_network_that_amplifies_rounding_without_bound_is_held_to_one() -> None:
    """Rounding alone changes all of its logits, so that the measured bounds would let anything pass."""
    model = spoil(model_of("llama").to(torch.bfloat16), lambda out: (out * 1e5 * out.shape[1] ** 0.5).sin())
    with pytest.raises(ModelUnusable, match=r"; 0\.3 and 1 are allowed"):
        find_way(model, FOLDER)


def test_damaged_weights_are_called_that(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "model", "olmoe")

    def damage(tensors: dict[str, Any]) -> dict[str, Any]:
        tensors["model.norm.weight"][0] = float("nan")
        return tensors

    change_weights(folder, damage)
    with pytest.raises(ModelUnusable, match="no finite numbers; its weights are damaged"):
        LocalEngine(folder, slots=1, threads=1, checks=tmp_path / "checks")


def test_a_restart_does_not_repeat_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, checks = make_folder(tmp_path / "model", "llama", sizes={}), tmp_path / "checks"
    LocalEngine(folder, slots=1, threads=1, checks=checks)

    def again(*_: object) -> str:
        raise AssertionError("checked again")

    monkeypatch.setattr(self_check, "_checked", again)
    LocalEngine(folder, slots=1, threads=1, checks=checks)
    change_weights(folder, lambda tensors: {name: 2 * one for name, one in tensors.items()})
    with pytest.raises(AssertionError, match="checked again"):
        LocalEngine(folder, slots=1, threads=1, checks=checks)


def test_a_record_that_cannot_be_read_or_written_costs_only_the_check(tmp_path: Path) -> None:
    model = model_of("llama")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    assert find_way(model, FOLDER, broken, "key") == "together"
    assert find_way(model, FOLDER, Path("/proc/none/record.json"), "key") == "together"


@pytest.mark.parametrize(("context", "factor"), [(16, 1.0), (64, 4.0)])
def test_long_frequencies_depend_on_the_served_context_alone(context: int, factor: float) -> None:
    rope = {
        "rope_type": "longrope",
        "rope_theta": 10_000.0,
        "short_factor": [1.0] * 4,
        "long_factor": [4.0] * 4,
        "original_max_position_embeddings": 32,
        "attention_factor": 1.0,
    }
    model = model_of(
        "phi3", rope_parameters=rope, max_position_embeddings=64, original_max_position_embeddings=32
    )
    fix_frequencies(model, context)
    plain = 1.0 / 10_000.0 ** (torch.arange(0, 8, 2) / 8)
    for length in (8, 48):
        model(torch.arange(length)[None])
        torch.testing.assert_close(model.model.rotary_emb.inv_freq, plain / factor)
    assert find_way(model, FOLDER) == "together"
