"""Prompts of several people are read in one pass, where that is faster, and each as if it were alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

from inference.hf_models.passes import Costs, pass_in_turn, share_passes
from inference.hf_models.step import HfStep
from inference.networks.batch import Run
from tests.inference.hf_folders import KINDS, SIZES, VOCAB

COSTS = Costs(weights=16, width=1_024)


def runs(*sizes: tuple[int, int]) -> list[Run]:
    """Returns a run for each (length, position), in rows 0, 1, …"""
    made: list[Run] = []
    for row, (length, pos) in enumerate(sizes):
        made.append(Run(row, sum(run.length for run in made), length, pos))
    return made


def shared(*sizes: tuple[int, int]) -> list[list[int]]:
    """Returns the rows of each pass."""
    return [[run.row for run in batch] for batch in share_passes(runs(*sizes), COSTS)]


@pytest.mark.parametrize(
    ("sizes", "passes"),
    [
        ([(16, 0)] * 16, [list(range(16))]),
        ([(1, 30), (1, 7), (1, 90)], [[0, 1, 2]]),
        ([(20, 0), (1, 9), (14, 40)], [[1], [0, 2]]),  # a single token is not made twenty
        ([(128, 0), (9, 0), (119, 3)], [[1], [0, 2]]),
        ([(5, 0), (1, 9), (6, 0)], [[0, 1, 2]]),  # reading the weights again would cost more
        ([(16, 0), (16, 8_000), (16, 0), (16, 0)], [[0, 2, 3], [1]]),  # nor are keys copied for others
    ],
)
def test_runs_share_a_pass_where_that_costs_less(
    sizes: list[tuple[int, int]], passes: list[list[int]]
) -> None:
    assert sorted(shared(*sizes)) == sorted(passes)


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(0, 8_000)), min_size=1, max_size=20))
def test_sharing_never_costs_more_than_a_pass_for_each_prompt(sizes: list[tuple[int, int]]) -> None:
    def cost(passes: list[list[Run]]) -> float:
        return sum(
            COSTS.of(len(batch), max(run.length for run in batch), max(run.pos + run.length for run in batch))
            for batch in passes
        )

    given_runs = runs(*sizes)
    made = share_passes(given_runs, COSTS)
    assert sorted(run for batch in made for run in batch) == given_runs
    assert cost(made) <= cost(pass_in_turn(given_runs, singles_share=True)) + 1e-6


class Counted:
    """A tiny model and the sizes [n, T] of its passes."""

    def __init__(self, kind: str) -> None:
        torch.manual_seed(3)
        self.model: Any = AutoModelForCausalLM.from_config(
            AutoConfig.for_model(kind, **SIZES | KINDS.get(kind, {}))
        ).eval()
        self.passes: list[tuple[int, ...]] = []
        self.kept: list[int] = []  # columns whose logits were computed
        self.model.register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, _module: Any, _given: Any, named: dict[str, Any]) -> None:
        self.passes.append(tuple(named["input_ids"].shape))
        self.kept.append(len(named.get("logits_to_keep", [])))


@pytest.mark.parametrize("kind", ["llama", "olmoe"])
def test_prompts_of_unequal_lengths_are_read_in_one_pass(kind: str) -> None:
    counted = Counted(kind)
    step = HfStep(counted.model, rows=4, context=64, costs=Costs(weights=100, width=1_024))
    generator = torch.Generator().manual_seed(5)
    texts = [torch.randint(4, VOCAB, (length,), generator=generator).tolist() for length in (21, 14, 18)]
    row = [number for number, text in enumerate(texts) for _ in text]
    places = [place for text in texts for place in range(len(text))]
    last = [len(texts[0]) - 1, len(texts[0]) + len(texts[1]) - 1, len(row) - 1]
    got = step.step(sum(texts, []), row, places, [1] * len(row), last)
    assert (counted.passes, counted.kept) == ([(3, 21)], [1])
    with torch.inference_mode():
        alone = [
            counted.model(input_ids=torch.tensor([text]), use_cache=False).logits[0, -1] for text in texts
        ]
    torch.testing.assert_close(got, torch.stack(alone), atol=2e-4, rtol=1e-3)
