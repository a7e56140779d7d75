"""Plans the next step of the engine: which rows of the cache enter it, and how many tokens of each.

A pure function of what runs; inference/core/scheduler.py carries the plan out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Feeding(Protocol):
    """Declares the properties of a running generation that planning needs."""

    @property
    def row(self) -> int: ...
    @property
    def to_feed(self) -> int: ...  # tokens whose keys and values are not in the cache yet
    @property
    def doubted(self) -> bool: ...  # it was in a step that failed


Fed = TypeVar("Fed", bound=Feeding)


def plan_step(running: Sequence[Fed], prefill_chunk: int) -> list[tuple[Fed, int]]:
    """Returns who takes part in the next step, and with how many tokens; empty if nobody runs.

    Everyone with one token to feed takes part, in the order of the rows. Prompts share `prefill_chunk` tokens
    in equal parts, the shortest first, and what one does not need goes to the others: a short question does
    not wait behind a long document, which is hardly delayed by it. After a failed step those in it go one by
    one, to find the one that fails.
    """
    doubted = next((work for work in running if work.doubted), None)
    if doubted is not None:
        return [(doubted, min(doubted.to_feed, prefill_chunk))]
    plan = [(work, 1) for work in sorted((w for w in running if w.to_feed == 1), key=_row)]
    prompts = sorted((work for work in running if work.to_feed > 1), key=_to_feed)
    left = prefill_chunk
    for i, work in enumerate(prompts):
        count = min(work.to_feed, left // (len(prompts) - i))
        left -= count
        plan.append((work, count))
    return plan


def _row(work: Feeding) -> int:
    return work.row


def _to_feed(work: Feeding) -> int:
    return work.to_feed
