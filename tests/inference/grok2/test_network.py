"""A tiny Grok-2 in the release's files computes what a plain float64 network computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inference.engines.local import LocalEngine
from inference.grok2.loading import load_model
from inference.grok2.tokenizer import load_tokenizer
from inference.hf_models.self_check import find_way
from inference.hf_models.step import TOGETHER, HfStep
from inference.model_dir.admission import needed_bytes
from inference.model_dir.describe import describe
from tests.inference import grok2_plain
from tests.inference.engine_fakes import request
from tests.inference.grok2_folders import CONFIG, VOCAB, make_folder, make_weights
from tests.inference.grok2_plain import Rules
from tests.inference.listening import Listener, unexpected

BOUND = 1e-4  # of the logits' spread, in float32
TEXT = np.random.default_rng(3).integers(0, VOCAB, 40).tolist()


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    return make_weights()


@pytest.fixture(scope="module")
def folder(weights: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("grok2") / "Grok-2 tiny", weights)


def plain(weights: dict[str, np.ndarray], ids: list[int], rules: Rules | None = None) -> np.ndarray:
    return grok2_plain.logits(weights, CONFIG, ids, rules)


def worst(got: np.ndarray, wanted: np.ndarray) -> float:
    """Returns the largest difference as a share of the spread."""
    return float(np.abs(got - wanted).max() / wanted.std())


def test_logits_are_those_of_the_plain_network(folder: Path, weights: dict[str, np.ndarray]) -> None:
    model = load_model(folder, slots=1)
    with torch.inference_mode():
        whole = model(torch.tensor([TEXT]), use_cache=False).logits[0].numpy()
    assert worst(whole, plain(weights, TEXT)) < BOUND


def test_chunks_and_single_tokens_are_those_of_the_plain_network(
    folder: Path, weights: dict[str, np.ndarray]
) -> None:
    """Two texts in rows that are no neighbours, in one batch, beyond the length of the temperature."""
    model = load_model(folder, slots=1)
    assert find_way(model, folder) == TOGETHER
    other = TEXT[::-1]
    step = HfStep(model, rows=3, context=64)
    expected = {0: plain(weights, TEXT), 2: plain(weights, other)}
    texts = {0: TEXT, 2: other}
    for parts in (
        {0: range(20), 2: range(3)},
        {0: range(20, 21), 2: range(3, 30)},
        *({0: range(21 + i, 22 + i), 2: range(30 + i, 31 + i)} for i in range(8)),
    ):
        fed = [(row, at) for row, places in parts.items() for at in places]
        ids = [texts[row][at] for row, at in fed]
        rows, places = [row for row, _ in fed], [at for _, at in fed]
        got = step.step(ids, rows, places, [1] * len(fed), range(len(fed))).numpy()
        assert worst(got, np.stack([expected[row][at] for row, at in fed])) < BOUND


WRONG = {
    "no dense network": Rules(dense=False),
    "router not capped": Rules(router_cap=False),
    "gates renormalised": Rules(renormalised=True),
    "attention not capped": Rules(attention_cap=False),
    "no temperature": Rules(temperature=False),
    "temperature before the cap": Rules(temperature_before_cap=True),
    "logits not capped": Rules(final_cap=False),
    "cap before the multiplier": Rules(cap_before_multiplier=True),
    "tied head": Rules(tied=True),
    "Grok-1's base": Rules(base=10_000.0),
    "w1 and w3 swapped": Rules(halves_swapped=True),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_the_comparison_finds_a_wrong_network(weights: dict[str, np.ndarray], mistake: str) -> None:
    assert worst(plain(weights, TEXT, WRONG[mistake]), plain(weights, TEXT)) > 10 * BOUND


def test_the_divisor_is_seen_where_the_branch_is_as_small_as_the_eps_of_its_norm(tmp_path: Path) -> None:
    """Elsewhere the norm that follows removes it."""
    small = {
        name: tensor * (1e-3 if "down_proj" in name or "w2" in name else 1)
        for name, tensor in make_weights().items()
    }
    model = load_model(make_folder(tmp_path / "small", small), slots=1)
    with torch.inference_mode():
        whole = model(torch.tensor([TEXT]), use_cache=False).logits[0].numpy()
    assert worst(whole, plain(small, TEXT)) < BOUND
    assert worst(plain(small, TEXT, Rules(divisor=1.0)), plain(small, TEXT)) > 10 * BOUND


def test_parts_of_ranks_are_joined_bit_for_bit(folder: Path, weights: dict[str, np.ndarray]) -> None:
    state = load_model(folder, slots=1, dtype="float32").state_dict()
    start = "model.layers.1.block_sparse_moe.experts"
    for e in range(8):
        first, last = state[f"{start}.gate_up_proj"][e].chunk(2)
        for name, tensor in (("w1", first), ("w3", last), ("w2", state[f"{start}.down_proj"][e])):
            assert np.array_equal(tensor.numpy(), weights[f"{start}.{e}.{name}.weight"])
    for name in state.keys() & weights.keys():
        assert np.array_equal(state[name].numpy(), weights[name]), name


def test_bfloat16_keeps_router_and_norms_in_float32(folder: Path) -> None:
    state = load_model(folder, slots=1, dtype="bfloat16").state_dict()
    exact = {name for name, one in state.items() if one.dtype == torch.float32}
    assert exact == {name for name in state if "norm" in name or "block_sparse_moe.gate" in name}


def test_int8_matrices_are_within_half_a_step_of_the_floats(
    folder: Path, weights: dict[str, np.ndarray]
) -> None:
    model = load_model(folder, slots=1, dtype="int8")
    int8 = {name for name, one in model.named_buffers() if one.dtype == torch.int8}
    start = "model.layers.0.block_sparse_moe.experts"
    assert {f"{start}.down_proj", "model.layers.1.self_attn.q_proj.weight"} <= int8
    assert not any("gate.weight" in name or "lm_head" in name or "embed" in name for name in int8)
    values, scale = (model.get_buffer(f"{start}.down_proj{end}")[3].float() for end in ("", "_scale"))
    floats = torch.from_numpy(weights[f"{start}.3.w2.weight"])
    assert ((values * scale - floats).abs() <= 0.51 * scale).all()
    files = describe(folder)
    numbers = sum(one.numel() for one in model.buffers() if one.dtype == torch.int8)
    assert needed_bytes(files, 1) - needed_bytes(files, 1, "int8") == 3 * numbers


def answer(folder: Path, dtype: str = "") -> tuple[list[int], Any]:
    """Returns the ids of an answer to "hello world", and how it ended."""
    engine: Any = LocalEngine(folder, slots=2, threads=1, dtype=dtype, exit=unexpected)
    heard = Listener()
    engine.start(heard)
    try:
        engine.submit(request("hello world", "one", max_new_tokens=12), ())
        ids, _, end = heard.end("one")
    finally:
        engine.stop()
    return list(ids), end


def test_an_engine_answers_with_the_likeliest_tokens(folder: Path, weights: dict[str, np.ndarray]) -> None:
    ids, end = answer(folder)
    tokenizer = load_tokenizer(folder, VOCAB)
    text = tokenizer.render_chat([{"role": "user", "content": "hello world"}])
    assert end.prompt_tokens == len(text)
    assert len(ids) > 3
    for token in ids:
        scores = plain(weights, text)[-1]
        scores[sorted(tokenizer.never_sample)] = -np.inf
        assert token == int(scores.argmax())
        text = [*text, token]


def test_an_engine_in_int8_answers(folder: Path) -> None:
    ids, end = answer(folder, "int8")
    assert len(ids) > 3
    assert not end.error
