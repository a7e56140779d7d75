"""Tests which rows enter the next step, as a function of what runs."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.core.plan import plan_step


@dataclass(frozen=True)
class Running:
    row: int
    to_feed: int
    doubted: bool = False


def planned(*running: Running, chunk: int = 12) -> list[tuple[int, int]]:
    """Returns (row, tokens) of the plan."""
    return [(work.row, count) for work, count in plan_step(running, chunk)]


def test_an_idle_engine_has_an_empty_plan() -> None:
    assert planned() == []


def test_rows_that_decode_come_first_and_in_order() -> None:
    assert planned(Running(2, 5), Running(3, 1), Running(0, 1)) == [(0, 1), (3, 1), (2, 5)]


@pytest.mark.parametrize(
    ("prompts", "counts"),
    [
        ((100,), [12]),
        ((100, 100), [6, 6]),
        ((100, 2), [2, 10]),
        ((100, 2, 100), [2, 5, 5]),
        ((3, 4, 5), [3, 4, 5]),
    ],
)
def test_prompts_share_the_chunk(prompts: tuple[int, ...], counts: list[int]) -> None:
    running = [Running(row, to_feed) for row, to_feed in enumerate(prompts)]
    assert [count for _, count in planned(*running)] == counts


def test_a_doubted_row_goes_alone() -> None:
    assert planned(Running(0, 1), Running(1, 30, doubted=True), Running(2, 1, doubted=True)) == [(1, 12)]


@given(st.lists(st.integers(1, 300), min_size=1, max_size=16), st.integers(16, 256))
def test_the_chunk_bounds_prompts_and_every_row_that_decodes_takes_part(sizes: list[int], chunk: int) -> None:
    running = [Running(row, to_feed) for row, to_feed in enumerate(sizes)]
    plan = plan_step(running, chunk)
    assert {work.row for work, _ in plan} == {work.row for work in running}
    assert all(1 <= count <= work.to_feed for work, count in plan)
    prompts = [(work, count) for work, count in plan if work.to_feed > 1]
    asked = sum(work.to_feed for work, _ in prompts)
    assert sum(count for _, count in prompts) == min(chunk, asked)
    assert plan_step(running, chunk) == plan
