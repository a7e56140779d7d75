"""Feeds one planned step to the model and chooses a token for each generation that is due."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference.contract import Score
from inference.core.sampling import choose, scores
from inference.core.work import Work

Plan = list[tuple[Work, int]]  # who takes part in a step, and with how many tokens


class Step(Protocol):
    """Computes one step of a model with its KV cache, of `rows` rows of `context` positions."""

    def step(
        self,
        ids: Sequence[int],
        row: Sequence[int],
        pos: Sequence[int],
        hide_pad: Sequence[int],
        out_at: Sequence[int],
    ) -> NDArray[np.float32]:
        """Feed M tokens, a ragged batch: token ids[i] at position pos[i] of cache row row[i].

        The tokens of a row stand together, at consecutive positions; position 0 begins a row anew.
        `hide_pad[i]` is 1 for tokens of the original prompt. Returns the float32 logits (n, V) after the
        tokens whose places in the batch `out_at` (n,) names.
        """


def feed(step: Step, plan: Plan) -> tuple[list[Work], NDArray[np.float32], int]:
    """Runs the model on the planned tokens.

    Returns the generations whose last token was fed, their logits (n, V), and how
    many tokens of prompts were fed.
    """
    ids: list[int] = []
    rows: list[int] = []
    pos: list[int] = []
    hide: list[int] = []
    out_at: list[int] = []
    done: list[Work] = []
    for work, count in plan:
        start, end = work.fed, work.fed + count
        ids += work.tokens[start:end]
        rows += [work.row] * count
        pos += range(start, end)
        hide += [1] * (min(end, work.prompt_size) - start)  # none if that is negative
        hide += [0] * (len(ids) - len(hide))
        if end == len(work.tokens):
            done.append(work)
            out_at.append(len(ids) - 1)
    logits = step.step(ids, rows, pos, hide, out_at)
    for work, count in plan:
        work.fed += count
    return done, logits, sum(hide)


def choose_tokens(
    logits: NDArray[np.float32], works: list[Work], at: list[int], never: NDArray[np.int64]
) -> tuple[list[int], list[Score | None]]:
    """Returns a token for each of `works`, whose logits are the rows `at`, and its score where requested."""
    if not works:
        return [], []
    requests = [work.request for work in works]
    mine = logits if len(at) == len(logits) else logits[at]
    chosen: list[int] = choose(
        mine,
        [request.sampling for request in requests],
        [request.seed for request in requests],
        [work.history for work in works],
        never,
    ).tolist()
    return chosen, scores(mine, chosen, [request.logprobs for request in requests])


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether Python, CUDA or torch's CPU allocator (a RuntimeError) ran out of memory."""
    words = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (
            isinstance(error, RuntimeError) and ("out of memory" in words or "can't allocate memory" in words)
        )
    )
