"""Chooses the next token: a pure function of logits, parameters, seed and the index of the generated token.

Every back end uses it, in float64 on the CPU, so that a reply resumed on another worker continues with the
same tokens. Nothing is stored between calls: the random number for token i is a hash of (seed, i).
Penalties change the logits of all rows at once; then the filters run in the order temperature, top_k, top_p,
min_p; equal logits are ordered by lower id. The draw
itself walks the surviving ids in id order, not in order of probability: logits that differ in the last bits
between two machines then move the answer only when the random number falls between the two, never because
two tokens changed places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.contract import Sampling, Score

_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15


def _mix(z: int) -> int:
    """Applies SplitMix64's finaliser: every input bit affects every output bit."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def uniform(seed: int, index: int) -> float:
    """Returns the random number in [0, 1) for generated token `index` under `seed`.

    52 bits, so that uniform * total stays below total after rounding: the draw never runs off the end.
    """
    stream = _mix((seed + _GOLDEN) & _MASK)
    return (_mix((stream + (index + 1) * _GOLDEN) & _MASK) >> 12) * 2.0**-52


def usable(logits: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Returns as bool (n,) which rows of logits (n, V) allow a choice: no NaN, no +inf, not all -inf."""
    fine: NDArray[np.bool_] = np.isfinite(logits.max(axis=1))
    return fine


# Tokens of the prompt and of the answer so far; where nothing is penalised only the answer's length counts.
History = tuple[Sequence[int], Sequence[int]]


def choose(
    logits: NDArray[np.float32],
    sampling: Sequence[Sampling],
    seeds: Sequence[int],
    histories: Sequence[History],
    never: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Returns the next token of each row: logits (n, V) -> ids (n,). Rows do not influence each other.

    `never` holds ids that are not to be chosen. Rows must be `usable`. Raises ValueError when every token of
    a row is masked.
    """
    indices = [len(answer) for _, answer in histories]
    penalised = [i for i, asked in enumerate(sampling) if asked.penalises]
    if never.size or penalised:
        logits = logits.copy()
        _penalise(logits, penalised, sampling, histories)
        logits[:, never] = -np.inf
    ids: NDArray[np.int64] = logits.argmax(axis=1)  # (n,); numpy returns the first of equals: the lower id
    for i, asked in enumerate(sampling):
        best = logits[i, ids[i]]
        if best == -np.inf:
            raise ValueError(f"all {logits.shape[1]} tokens of row {i} are masked")
        if asked.temperature > 0 and asked.top_k != 1:
            ids[i] = _draw(logits[i], float(best), asked, uniform(seeds[i], indices[i]))
    return ids


def _penalise(
    logits: NDArray[np.float32],
    rows: Sequence[int],
    sampling: Sequence[Sampling],
    histories: Sequence[History],
) -> None:
    """Change logits (n, V) of `rows` in place: one pass over the tokens that occurred, for all rows."""
    if not rows:
        return
    asked = [sampling[i] for i in rows]
    row, ids, _ = _occurred(rows, [[*histories[i][0], *histories[i][1]] for i in rows])
    factor = np.repeat([one.repetition for one in asked], np.bincount(row, minlength=len(rows)))
    at = np.array(rows)[row], ids
    seen = logits[at]
    logits[at] = np.where(seen > 0, seen / factor, seen * factor)
    row, ids, times = _occurred(rows, [histories[i][1] for i in rows])
    presence, frequency = (
        np.array([getattr(one, n) for one in asked])[row] for n in ("presence", "frequency")
    )
    logits[np.array(rows)[row], ids] -= presence + frequency * times


def _occurred(
    rows: Sequence[int], texts: Sequence[Sequence[int]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Returns index into `rows`, token and count of each distinct token of each text, as flat arrays."""
    found = [np.unique(np.array(text, dtype=np.int64), return_counts=True) for text in texts]
    row = np.repeat(np.arange(len(rows)), [ids.size for ids, _ in found])
    return row, np.concatenate([ids for ids, _ in found]), np.concatenate([times for _, times in found])


def scores(
    logits: NDArray[np.float32], chosen: Sequence[int], tops: Sequence[int | None]
) -> list[Score | None]:
    """Returns log-probabilities of the chosen tokens and of the likeliest `tops[i]`, from logits (n, V).

    None where `tops[i]` is None: not requested.
    """
    asked = [i for i, top in enumerate(tops) if top is not None]
    out: list[Score | None] = [None] * len(tops)
    if not asked:
        return out
    rows = logits[asked].astype(np.float64)
    rows -= rows.max(axis=1, keepdims=True)
    rows -= np.log(np.exp(rows).sum(axis=1, keepdims=True))
    for row, i in zip(rows, asked, strict=True):
        best = _top(row, tops[i] or 0)
        out[i] = Score(float(row[chosen[i]]), tuple((int(one), float(row[one])) for one in best))
    return out


def _top(row: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Returns ids of the `count` largest of row (V,), largest first, equal ones by id."""
    if not count:
        return np.zeros(0, dtype=np.int64)
    ids = _top_k(row, min(count, row.size))
    return ids[np.argsort(-row[ids], kind="stable")]


def _draw(row: NDArray[np.float32], best: float, asked: Sampling, u: float) -> int:
    """Draws an id from row (V,), whose largest value is `best`, with the random number u in [0, 1)."""
    ids = _top_k(row, asked.top_k) if 0 < asked.top_k < row.size else None
    p = np.subtract(row if ids is None else row[ids], best, dtype=np.float64)
    p /= asked.temperature
    np.exp(p, out=p)  # (m,) probabilities times a constant; the best has exactly 1.0
    if asked.top_p < 1:
        likely = _top_p(p, asked.top_p)
        ids, p = (likely if ids is None else ids[likely]), p[likely]
    if asked.min_p > 0:
        likely = np.flatnonzero(p >= asked.min_p)
        ids, p = (likely if ids is None else ids[likely]), p[likely]
    upto = p.cumsum()
    at = int(upto.searchsorted(u * upto[-1], side="right"))
    return at if ids is None else int(ids[at])


def _top_k(row: NDArray[Any], k: int) -> NDArray[np.int64]:
    """Returns ids of the k largest of row (V,), ascending."""
    return _largest(row, np.partition(row, row.size - k)[row.size - k], k)


def _top_p(p: NDArray[np.float64], share: float) -> NDArray[np.int64]:
    """Returns indices into p (m,), ascending, of the fewest largest values that reach `share` of the sum.

    Values below (1 - share) * sum / m do not reach 1 - share even together, so none of them is needed and
    only the others are sorted: a few hundred, instead of 131,072.
    """
    total = p.sum()
    likely = p[p >= (1.0 - share) * total / p.size]
    likely.sort()
    upto = likely[::-1].cumsum()
    count = min(int(upto.searchsorted(share * total)) + 1, likely.size)
    return _largest(p, likely[-count], count)


def _largest(values: NDArray[Any], border: Any, count: int) -> NDArray[np.int64]:
    """Returns indices of the `count` largest; `border` is the least of them; of equal ones the lower."""
    at_least = np.flatnonzero(values >= border)
    if at_least.size == count:
        return at_least
    above = np.flatnonzero(values > border)
    equal = np.flatnonzero(values == border)[: count - above.size]
    return np.sort(np.concatenate((above, equal)))
