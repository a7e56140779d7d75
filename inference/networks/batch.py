"""Checks the ragged batch that every step takes and splits it into the runs of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Run(NamedTuple):
    """A run: consecutive tokens of one row within a step."""

    row: int
    start: int  # where they begin in the flat batch
    length: int
    pos: int  # position of the first one
    hide: bool = False  # some of them must not see token 0, and the row has one (Grok-1)


class Bounds(NamedTuple):
    """The limits of a step."""

    rows: int
    context: int
    vocab_size: int


def runs_of(
    ids: Sequence[int],
    row: Sequence[int],
    pos: Sequence[int],
    out_at: Sequence[int],
    bounds: Bounds,
    filled: Sequence[int],
) -> list[Run]:
    """Returns one run for each row in the batch; `filled` counts the tokens that each row holds.

    Raises ValueError for anything that would reach outside a row or leave a hole in it.
    """
    n = len(ids)
    if n == 0 or not len(row) == len(pos) == n:
        raise ValueError(f"ids, row and pos need one length above 0: {n}, {len(row)}, {len(pos)}")
    if any(not 0 <= place < n for place in out_at):
        raise ValueError(f"out_at must lie within 0..{n - 1}: {list(out_at)}")
    runs: list[Run] = []
    begin = 0
    for i in range(n):
        if not 0 <= ids[i] < bounds.vocab_size:
            raise ValueError(f"id {ids[i]} is outside the vocabulary of {bounds.vocab_size}")
        if not 0 <= row[i] < bounds.rows:
            raise ValueError(f"row {row[i]} is not one of {bounds.rows}")
        if not 0 <= pos[i] < bounds.context:
            raise ValueError(f"position {pos[i]} is outside the context of {bounds.context}")
        if i + 1 < n and row[i + 1] == row[i]:
            if pos[i + 1] != pos[i] + 1:
                raise ValueError(f"row {row[i]}: position {pos[i + 1]} does not follow {pos[i]}")
            continue
        runs.append(Run(row[begin], begin, i + 1 - begin, pos[begin]))
        begin = i + 1
    if len({run.row for run in runs}) != len(runs):
        raise ValueError("the tokens of a row must stand together")
    for run in runs:
        if run.pos > filled[run.row]:
            raise ValueError(f"row {run.row} holds {filled[run.row]} tokens; cannot continue at {run.pos}")
    return runs
