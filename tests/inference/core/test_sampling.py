"""Choosing a token against a version written so plainly that it needs no test."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.contract import Sampling
from inference.core import sampling as sampling_module
from inference.core.sampling import choose, scores, uniform, usable

NONE = np.zeros(0, np.int64)

samplings = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 0.1, 0.7, 1.0, 2.5, 5.0]),
    top_k=st.sampled_from([0, 1, 2, 5, 40]),
    top_p=st.sampled_from([0.05, 0.5, 0.9, 0.95, 1.0]),
    min_p=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
)
# Coarse steps, so that ties are common; -inf is a mask.
rows = st.lists(
    st.one_of(st.integers(-12, 12).map(lambda i: i / 2), st.just(-math.inf)), min_size=2, max_size=30
).filter(lambda row: max(row) > -math.inf)


def one(row: Any, sampling: Any, seed: int = 0, index: int = 0, never: Any = NONE) -> Any:
    return int(choose(np.array([row], np.float32), [sampling], [seed], [((), range(index))], never)[0])


def survivors_by_hand(row: Any, s: Any) -> tuple[Any, ...]:
    """The ids that the filters leave, ascending, with their weights."""
    order = sorted(range(len(row)), key=lambda i: (-row[i], i))
    if s.temperature == 0 or s.top_k == 1:
        return [order[0]], [1.0]
    if s.top_k:
        order = order[: s.top_k]
    weight = {i: math.exp((row[i] - row[order[0]]) / s.temperature) for i in order}
    kept, total = [], 0.0
    for i in order:
        kept.append(i)
        total += weight[i]
        if s.top_p < 1 and total >= s.top_p * sum(weight.values()):
            break
    kept = sorted(i for i in kept if weight[i] >= s.min_p)
    return kept, [weight[i] for i in kept]


def by_hand(row: Any, s: Any, u: Any) -> Any:
    kept, weights = survivors_by_hand(row, s)
    total = 0.0
    for i, weight in zip(kept, weights, strict=True):
        total += weight
        if u * sum(weights) < total:
            return i
    raise AssertionError


@settings(max_examples=400, deadline=None)
@given(row=rows, sampling=samplings, seed=st.integers(0, 2**63 - 1), index=st.integers(0, 9000))
def test_chooses_what_the_plain_version_chooses(row: Any, sampling: Any, seed: Any, index: Any) -> None:
    got, u = one(row, sampling, seed, index), uniform(seed, index)
    assert row[got] > -math.inf
    kept, weights = survivors_by_hand(row, sampling)
    edges = np.cumsum(weights) / sum(weights)
    if np.abs(edges - u).min() > 1e-12 and not near_border_of_top_p(row, sampling):
        assert got == by_hand(row, sampling, u)


def near_border_of_top_p(row: Any, s: Any) -> Any:
    """Returns whether the last bits decide how many reach top_p; the order of a sum is not promised."""
    if s.top_p == 1 or s.temperature == 0:
        return False
    best = sorted(row, reverse=True)[: s.top_k or None]
    shares = np.exp((np.array(best) - best[0]) / s.temperature)
    return bool(np.abs(shares.cumsum() / shares.sum() - s.top_p).min() < 1e-12)


@settings(max_examples=100, deadline=None)
@given(
    table=st.lists(st.lists(st.floats(-9, 9, width=32), min_size=16, max_size=16), min_size=1, max_size=6),
    sampling=samplings,
    seed=st.integers(0, 2**63 - 1),
)
def test_a_row_is_chosen_alike_alone_and_in_a_batch(table: Any, sampling: Any, seed: Any) -> None:
    n = len(table)
    together = choose(
        np.array(table, np.float32),
        [sampling] * n,
        [seed + i for i in range(n)],
        [((), range(i)) for i in range(n)],
        NONE,
    )
    assert together.tolist() == [one(row, sampling, seed + i, i) for i, row in enumerate(table)]


def test_frequencies_follow_the_probabilities() -> None:
    row = np.log([0.5, 0.25, 0.15, 0.1])
    counts = np.bincount([one(row, Sampling(1.0, top_p=1.0), 3, i) for i in range(8000)], minlength=4)
    assert counts / 8000 == pytest.approx([0.5, 0.25, 0.15, 0.1], abs=0.02)


def test_ties_go_to_the_lower_id() -> None:
    assert one([1, 3, 3, 3], Sampling(temperature=0)) == 1
    assert {one([0, 0, 0, 0], Sampling(1.0, top_k=2, top_p=1.0), 1, i) for i in range(50)} == {0, 1}
    assert {one([0, 0, 0, 0], Sampling(1.0, top_p=0.5), 1, i) for i in range(50)} == {0, 1}


@pytest.mark.parametrize("sampling", [Sampling(0), Sampling(5.0, top_p=1.0), Sampling(1.0, top_k=3)])
def test_never_means_never_and_leaves_the_logits_alone(sampling: Any) -> None:
    logits = np.array([[9, 9, 0, 0, 9]], np.float32)
    never = np.array([0, 1, 4], np.int64)
    got = {int(choose(logits, [sampling], [1], [((), range(i))], never)[0]) for i in range(200)}
    assert got <= {2, 3}
    assert logits.tolist() == [[9, 9, 0, 0, 9]]


tokens = st.lists(st.integers(0, 15), max_size=12)


def penalised_by_hand(row: Any, s: Any, prompt: int, answer: Any) -> Any:
    out = [float(x) for x in row]
    for i in set(prompt) | set(answer):
        out[i] = out[i] / s.repetition if out[i] > 0 else out[i] * s.repetition
    for i in set(answer):
        out[i] -= s.presence + s.frequency * answer.count(i)
    return out


@settings(max_examples=200, deadline=None)
@given(
    table=st.lists(
        st.tuples(
            st.lists(st.integers(-12, 12).map(lambda i: i / 2), min_size=16, max_size=16),
            tokens,
            tokens,
            st.builds(
                Sampling,
                temperature=st.just(0.0),
                repetition=st.sampled_from([1.0, 1.0, 0.5, 2.0]),
                presence=st.sampled_from([0.0, 0.5, -0.5, 2.0]),
                frequency=st.sampled_from([0.0, 0.25, 1.0]),
            ),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_penalties_of_many_rows_at_once_are_those_of_each(table: Any) -> None:
    logits = np.array([row for row, *_ in table], np.float32)
    before = logits.copy()
    samplings = [s for *_, s in table]
    histories = [(prompt, answer) for _, prompt, answer, _ in table]
    got = choose(logits, samplings, [0] * len(table), histories, NONE).tolist()
    for (row, prompt, answer, s), chosen in zip(table, got, strict=True):
        by_hand = penalised_by_hand(row, s, prompt, answer)
        assert by_hand[chosen] == pytest.approx(max(by_hand))
    assert (logits == before).all()


def test_log_probabilities_are_those_of_the_softmax() -> None:
    logits = np.array([[1, 3, 2, -math.inf], [0, 0, 0, 0], [5, 1, 1, 1]], np.float32)
    first, none, third = scores(logits, [2, 1, 0], [2, None, 0])
    norm = math.log(math.e + math.e**3 + math.e**2)
    assert first.logprob == pytest.approx(2 - norm)
    assert [token for token, _ in first.top] == [1, 2]
    assert [at for _, at in first.top] == pytest.approx([3 - norm, 2 - norm])
    assert none is None
    assert third.top == ()
    assert third.logprob == pytest.approx(5 - math.log(math.e**5 + 3 * math.e))


@pytest.mark.parametrize(
    "wrong", [{"repetition": 0.0}, {"repetition": 11.0}, {"presence": 2.1}, {"frequency": -2.1}]
)
def test_penalties_out_of_bounds_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Sampling(**wrong)


def test_a_masked_token_is_not_drawn_even_at_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling_module, "uniform", lambda seed, index: 0.0)
    assert one([-math.inf, 1.0, -math.inf, 2.0], Sampling(1.0, top_p=1.0)) == 1


def test_a_row_without_any_token_left_is_an_error() -> None:
    with pytest.raises(ValueError, match="masked"):
        one([1, 2], Sampling(0), never=np.array([0, 1], np.int64))


def test_rows_without_a_number_are_not_usable() -> None:
    inf, nan = math.inf, math.nan
    table = np.array([[1, 2], [-inf, 0], [nan, 0], [0, nan], [inf, 0], [-inf, -inf]], np.float32)
    assert usable(table).tolist() == [True, True, False, False, False, False]


def test_random_numbers_are_even_and_differ_by_seed_and_index() -> None:
    numbers = [uniform(seed, index) for seed in range(40) for index in range(100)]
    assert len(set(numbers)) == 4000
    assert 0 <= min(numbers) < 0.01
    assert 0.99 < max(numbers) < 1
    assert np.histogram(numbers, 10, (0, 1))[0].min() > 320
    steps = [b - a for a, b in pairwise(uniform(0, i) for i in range(1000))]
    assert abs(np.corrcoef(steps[:-1], steps[1:])[0, 1] + 0.5) < 0.1  # -0.5 for independent numbers


def test_random_numbers_are_pinned() -> None:
    """Changing them changes every seeded reply, and a reply that moves between old and new workers."""
    assert [uniform(0, 0), uniform(7, 1), uniform(2**63 - 1, 8191)] == PINNED


PINNED = [0.6524484863740321, 0.6497043364684556, 0.8425845230790328]
