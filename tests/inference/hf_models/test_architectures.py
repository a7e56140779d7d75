"""Tiny models of many architectures: the engine's step and answers equal passes over the whole text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from inference.engines.local import LocalEngine
from inference.hf_models.loading import load_model
from inference.hf_models.passes import Costs
from inference.hf_models.self_check import find_way
from inference.hf_models.step import HfStep
from inference.hf_models.tokenizer import HfTokenizer
from tests.inference.engine_fakes import request
from tests.inference.hf_architectures import APART, IN_TURN, TOGETHER
from tests.inference.hf_folders import SIZES, VOCAB, make_folder
from tests.inference.listening import Listener, unexpected

ALL = TOGETHER | IN_TURN | APART
# One of each kind of attention and state; `make engines` checks the others.
FAST = {"gpt_oss", "deepseek_v3", "gemma2", "llama", "llama4_text", "qwen3_next"}
KINDS = [kind if kind in FAST else pytest.param(kind, marks=pytest.mark.engines) for kind in ALL]


def model_of(kind: str) -> Any:
    torch.manual_seed(3)
    model: Any = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SIZES | ALL[kind]))
    return model.eval().requires_grad_(False)


@torch.inference_mode()
def whole_pass(model: Any, ids: list[int]) -> Any:
    return model(torch.tensor([ids]), use_cache=False).logits[0]


@pytest.mark.parametrize("weights", [1.0, 1e6], ids=["passes alone", "passes shared"])
@pytest.mark.parametrize("kind", KINDS)
def test_step_equals_one_whole_pass(kind: str, weights: float) -> None:
    """Chunks, strangers, single tokens of rows that are no neighbours, a row taken back and used again."""
    model = model_of(kind)
    way = find_way(model, Path("folder"))
    step = HfStep(model, rows=4, context=64, way=way, costs=Costs(weights, width=1_024))
    generator = torch.Generator().manual_seed(5)
    talks = {
        row: torch.randint(4, VOCAB, (length,), generator=generator).tolist()
        for row, length in ((0, 30), (2, 21), (3, 17))
    }
    whole = {row: whole_pass(model, ids) for row, ids in talks.items()}

    def feed(parts: dict[int, range]) -> None:
        flat = [(talks[row][i], row, i) for row, places in parts.items() for i in places]
        ids, rows, pos = (list(column) for column in zip(*flat, strict=True))
        out = step.step(ids, rows, pos, [1] * len(ids), range(len(ids)))
        for logits, row, i in zip(out, rows, pos, strict=True):
            torch.testing.assert_close(logits, whole[row][i], atol=5e-4, rtol=1e-3)

    feed({0: range(20), 3: range(5)})
    feed({2: range(12), 0: range(20, 21), 3: range(5, 11)})
    for i in range(6):
        feed({0: range(21 + i, 22 + i), 2: range(12 + i, 13 + i), 3: range(11 + i, 12 + i)})
    feed({0: range(3, 9)})  # back, as a row does that begins with a known prefix
    talks[0] = talks[0][:9] + talks[2][:4]
    whole[0] = whole_pass(model, talks[0])
    feed({0: range(9, 13)})
    assert step.filled == [13, 0, 18, 17]


@pytest.mark.parametrize("kind", KINDS)
def test_the_fastest_way_is_found(kind: str) -> None:
    """A later way is correct too, and slower: in this table each architecture has its own."""
    tables = {"together": TOGETHER, "in turn": IN_TURN, "apart": APART}
    expected = next(way for way, table in tables.items() if kind in table)
    assert find_way(model_of(kind), Path("folder")) == expected


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    kind: str = request.param
    return make_folder(tmp_path / kind, kind, sizes=ALL[kind])


@pytest.fixture
def engine(folder: Path) -> Iterator[Any]:
    made: Any = LocalEngine(folder, slots=2, threads=1, exit=unexpected)
    made.heard = Listener()
    made.start(made.heard)
    yield made
    made.stop()


@pytest.mark.parametrize("folder", KINDS, indirect=True)
def test_answers_are_those_of_whole_passes(folder: Path, engine: Any) -> None:
    """Two at once; the expected one feeds the whole text again for each token, without any cache."""
    model = load_model(folder, slots=1)
    tokenizer = HfTokenizer(folder, VOCAB)
    barred = sorted(tokenizer.never_sample)
    questions = ("one", "two three and some more words")
    for i, question in enumerate(questions):
        engine.submit(request(question, f"r{i}", max_new_tokens=8), ())
    for i, question in enumerate(questions):
        ids = tokenizer.render_chat([{"role": "user", "content": question}])
        answer: list[int] = []
        while len(answer) < 8 and not (answer and answer[-1] in tokenizer.stop_ids):
            logits = whole_pass(model, ids + answer)[-1].clone()
            logits[barred] = -torch.inf
            answer.append(int(logits.argmax()))
        heard, _, _ = engine.heard.end(f"r{i}")
        assert list(heard) == [token for token in answer if token not in tokenizer.stop_ids]


@pytest.mark.parametrize(
    ("folder", "batched", "prefix_cache"),
    [("llama", True, True), ("llama4_text", False, True), ("qwen3_next", False, False)],
    indirect=["folder"],
)
def test_the_engine_announces_the_way(folder: Path, engine: Any, batched: bool, prefix_cache: bool) -> None:
    found = engine.capabilities
    assert (found.batched, found.prefix_cache) == (batched, prefix_cache)
