"""Divides the runs of a step into passes: prompts of several people share one where that is faster.

All rows of a pass are as long as its longest run. A shorter run repeats its first token at that token's own
position: the keys and values come out the same, and are written to the same place, so that nothing has to be
masked, and the last tokens of all runs stand in one column. What a pass costs is estimated in tokens: a
repeated token costs as much as a new one, a pass of its own reads all weights again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from inference.networks.batch import Run

# Reading all weights once takes as long as computing so many tokens, about.
WEIGHTS = {"cpu": 16.0, "cuda": 200.0}
COPIED = 20  # a key is copied in the time in which so many tokens look at it, about


class Costs(NamedTuple):
    """Holds what parts of a pass cost, in tokens."""

    weights: float
    width: int  # of the network: looking at 6 * width keys costs as much as the rest of a token

    def of(self, rows: int, length: int, keys: int) -> float:
        """Returns the cost of a pass: so many rows of `length` tokens, which look at up to `keys` keys."""
        return self.weights + rows * (length + keys * (length + COPIED) / (6 * self.width))


def costs_of(model: Any) -> Costs:
    """Returns the costs of a model of transformers on its device."""
    width = getattr(model.config.get_text_config(), "hidden_size", 1_024)
    return Costs(WEIGHTS.get(model.device.type, WEIGHTS["cuda"]), width)


def share_passes(runs: Sequence[Run], costs: Costs) -> list[list[Run]]:
    """Returns the passes that cost least together; the rows of each are in order.

    Runs of one token stay together. Of the others, neighbours in length, then in position, may share a pass.
    """
    parts = [[run] for run in sorted(runs, key=_size) if run.length > 1]
    if singles := [run for run in runs if run.length == 1]:
        parts.insert(0, singles)
    ends = [max(run.pos + run.length for run in part) for part in parts]
    cheapest, begins = [0.0], [0]  # of the first i parts: their cost, and where their last pass begins
    for last, part in enumerate(parts):
        found, rows, keys = (float("inf"), 0), 0, 0
        for begin in range(last, -1, -1):
            rows, keys = rows + len(parts[begin]), max(keys, ends[begin])
            found = min(found, (cheapest[begin] + costs.of(rows, part[0].length, keys), begin))
        cheapest.append(found[0])
        begins.append(found[1])
    passes, end = [], len(parts)
    while end:
        passes.append(sorted(run for part in parts[begins[end] : end] for run in part))
        end = begins[end]
    return passes[::-1]


def pass_in_turn(runs: Sequence[Run], *, singles_share: bool) -> list[list[Run]]:
    """Returns a pass for each run; those of one token may share one."""
    singles = [run for run in runs if run.length == 1 and singles_share]
    return [[run] for run in runs if run not in singles] + ([singles] if singles else [])


def places_of(batch: Sequence[Run]) -> list[list[int]]:
    """Returns which token of the step stands at each place of a pass: [n][T], runs end in the last column."""
    longest = max(run.length for run in batch)
    return [
        [run.start] * (longest - run.length) + list(range(run.start, run.start + run.length)) for run in batch
    ]


def _size(run: Run) -> tuple[int, int]:
    return run.length, run.pos
