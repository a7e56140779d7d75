"""Who has which row of the cache: rows in use, and rows that still hold what a finished reply left there.

The next turn of a conversation begins as the last one ended, so it feeds only what is new. A row serves again
only the person and the conversation it was written for, and only for ten minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

KEEP_SECONDS = 600.0
# Token 0 is hidden from the prompt it stands in and seen by what comes after (grok1/step.py): what was
# computed behind it depends on which tokens were the prompt then.
PAD = 0

Key = tuple[str, str]  # whose, and which conversation; both opaque


@dataclass(frozen=True, slots=True)
class Kept:
    """What a row holds that nobody is using."""

    key: Key
    tokens: tuple[int, ...]
    since: float  # seconds of the clock


class Rows:
    """`count` rows. From one thread."""

    def __init__(self, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.count = count
        self._clock = clock
        # Oldest first, since dicts keep the order of insertion; None: nothing worth keeping.
        self._free: dict[int, Kept | None] = dict.fromkeys(range(count))

    def __len__(self) -> int:
        """How many rows nobody is using."""
        return len(self._free)

    @property
    def kept_tokens(self) -> int:
        """From any thread."""
        return sum(len(kept.tokens) for kept in tuple(self._free.values()) if kept)

    def take(self, key: Key, tokens: Sequence[int]) -> tuple[int, int]:
        """A row for a prompt, and how many of its first tokens the row already holds.

        One token at least is left to feed: the model answers only what it is fed. Raises KeyError without a
        free row.
        """
        self._expire()
        row, held = self._longest(key, tokens)
        if not held:
            row = self._least_useful()
        del self._free[row]
        return row, held

    def give_back(self, row: int, key: Key, tokens: Sequence[int]) -> None:
        """`tokens` are those whose keys and values the row holds; without a conversation none are kept."""
        self._free[row] = Kept(key, tuple(tokens), self._clock()) if key[1] and tokens else None

    def forget(self) -> None:
        """The cache was emptied."""
        self._free = dict.fromkeys(sorted(self._free))

    def _longest(self, key: Key, tokens: Sequence[int]) -> tuple[int, int]:
        best = (-1, 0)
        for row, kept in self._free.items():
            if kept and kept.key == key:
                held = min(common(kept.tokens, tokens), len(tokens) - 1)
                if held > best[1]:
                    best = (row, held)
        return best

    def _least_useful(self) -> int:
        """The lowest empty row, so that those in use stay together; else the one kept longest."""
        empty = [row for row, kept in self._free.items() if kept is None]
        return min(empty) if empty else next(iter(self._free))

    def _expire(self) -> None:
        oldest = self._clock() - KEEP_SECONDS
        for row, kept in self._free.items():
            if kept and kept.since < oldest:
                self._free[row] = None


def common(held: Sequence[int], asked: Sequence[int]) -> int:
    """How many tokens at the beginning are the same, up to the first pad."""
    count = 0
    for one, other in zip(held, asked, strict=False):
        if one != other or one == PAD:
            break
        count += 1
    return count
