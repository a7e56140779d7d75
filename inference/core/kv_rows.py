"""Assigns rows of the KV cache, and keeps the prefixes that finished replies left in unused rows.

The next turn of a conversation begins as the last one ended, so only its new tokens are fed. A prefix serves
only the person and the conversation for which it was computed, and only for ten minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

PREFIX_SECONDS = 600.0
# Token 0 is hidden inside a prompt and visible to the answer (grok1/step.py): keys and values computed after
# it depend on which tokens were the prompt then.
PAD = 0

Key = tuple[str, str]  # user and conversation, both opaque


@dataclass(frozen=True, slots=True)
class CachedPrefix:
    """Holds the prefix in a row that no generation uses."""

    key: Key
    tokens: tuple[int, ...]
    since: float  # seconds of the clock


class Rows:
    """Assigns the rows of a cache. Not thread-safe, except for `cached_tokens`."""

    def __init__(self, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.count = count
        self._clock = clock
        # Oldest first, since dicts keep the order of insertion; None: no prefix.
        self._free: dict[int, CachedPrefix | None] = dict.fromkeys(range(count))

    def __len__(self) -> int:
        """Returns how many rows no generation uses."""
        return len(self._free)

    @property
    def cached_tokens(self) -> int:
        """Returns the length of all cached prefixes, in tokens. From any thread."""
        return sum(len(prefix.tokens) for prefix in tuple(self._free.values()) if prefix)

    def take(self, key: Key, tokens: Sequence[int]) -> tuple[int, int]:
        """Takes a row for a prompt; returns it and how many of the first tokens it already holds.

        At least one token is left to feed, because the model answers only fed tokens. Raises KeyError without
        a free row.
        """
        self._expire()
        row, held = self._longest(key, tokens)
        if not held:
            row = self._least_useful()
        del self._free[row]
        return row, held

    def give_back(self, row: int, key: Key, tokens: Sequence[int]) -> None:
        """Frees a row that holds keys and values of `tokens`; without a conversation they are not cached."""
        self._free[row] = CachedPrefix(key, tuple(tokens), self._clock()) if key[1] and tokens else None

    def forget(self) -> None:
        """Forgets all prefixes, because the cache was emptied."""
        self._free = dict.fromkeys(sorted(self._free))

    def _longest(self, key: Key, tokens: Sequence[int]) -> tuple[int, int]:
        best = (-1, 0)
        for row, prefix in self._free.items():
            if prefix and prefix.key == key:
                held = min(common(prefix.tokens, tokens), len(tokens) - 1)
                if held > best[1]:
                    best = (row, held)
        return best

    def _least_useful(self) -> int:
        """Returns the lowest empty row, so that used rows stay together; else that of the oldest prefix."""
        empty = [row for row, prefix in self._free.items() if prefix is None]
        return min(empty) if empty else next(iter(self._free))

    def _expire(self) -> None:
        oldest = self._clock() - PREFIX_SECONDS
        for row, prefix in self._free.items():
            if prefix and prefix.since < oldest:
                self._free[row] = None


def common(held: Sequence[int], asked: Sequence[int]) -> int:
    """Returns the length of the common prefix, up to the first pad token."""
    count = 0
    for one, other in zip(held, asked, strict=False):
        if one != other or one == PAD:
            break
        count += 1
    return count
