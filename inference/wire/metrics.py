"""Metrics for monitoring and the staff page: the counters of engines, and the times of replies.

Model workers have no HTTP port: their metrics travel in the heartbeat (queue.beat). Replies are settled in
the chat worker and read in the web process, so their histograms are counted in Redis. Only numbers, model
names and worker names are stored here, never a part of a prompt. No torch, no Django.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis

from inference.wire import scripts

# The counters that an engine may have, with their meaning (base.Engine.metrics).
COUNTERS = {
    "steps": "Steps of the model",
    "rows": "Replies that took part in a step, added up over all steps",
    "tokens": "Tokens generated",
    "prompt_computed": "Prompt tokens whose keys and values were computed",
    "prompt_reused": "Prompt tokens whose keys and values were still there",
}
GAUGES = {
    "cache_used": "Tokens whose keys and values the cache holds",
    "cache_size": "Tokens that the cache has room for",
}
MINUTE = 60.0


class Recent:
    """Computes differences over the last minute, from one reading with each heartbeat."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, Mapping[str, int]]] = deque()

    def add(self, now: float, metrics: Mapping[str, int]) -> dict[str, float]:
        """Returns `tokens_per_second` and, if there were any steps, `rows_per_step` of the last minute."""
        self._readings.append((now, dict(metrics)))
        while len(self._readings) > 2 and self._readings[1][0] <= now - MINUTE:
            self._readings.popleft()
        began, before = self._readings[0]
        grown = {name: metrics.get(name, 0) - before.get(name, 0) for name in ("steps", "rows", "tokens")}
        recent = {"tokens_per_second": round(grown["tokens"] / max(now - began, 1.0), 2)}
        if grown["steps"]:
            recent["rows_per_step"] = round(grown["rows"] / grown["steps"], 2)
        return recent


# --- Replies -----------------------------------------------------------------------------------------------

WAITS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
BUCKETS: dict[str, tuple[float, ...]] = {
    "queued_seconds": WAITS,
    "first_token_seconds": WAITS,
    "token_seconds": (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2),
    "tokens": (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192),
}
MICRO = 1_000_000  # sums are whole millionths: Redis adds whole numbers without an error


@dataclass(frozen=True, slots=True)
class Times:
    """The times and token counts of one settled reply. None: it did not come so far."""

    queued: float | None
    first_token: float | None
    per_token: float | None
    prompt_tokens: int
    tokens: int
    is_estimated: bool = False

    @classmethod
    def of(
        cls,
        *,
        queued_ms: int | None,
        first_ms: int | None,
        total_ms: int | None,
        prompt_tokens: int,
        tokens: int,
        is_estimated: bool = False,
    ) -> Times:
        """Measures the time per token from the first token on, so that a wait for a new worker counts."""
        per_token = None
        if first_ms is not None and total_ms is not None and tokens > 1:
            per_token = (total_ms - first_ms) / 1000 / (tokens - 1)
        return cls(_seconds(queued_ms), _seconds(first_ms), per_token, prompt_tokens, tokens, is_estimated)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


@dataclass(frozen=True, slots=True)
class Histogram:
    """Cumulative buckets: each upper bound with the count at or below it; the last bound is "+Inf"."""

    buckets: list[tuple[str, float]]
    total: float


@dataclass(frozen=True, slots=True)
class Replies:
    """The settled replies of a model since Redis began to count."""

    ended: dict[str, int]  # by status
    prompt_tokens: int
    completion_tokens: int
    estimated_tokens: int  # of both
    histograms: dict[str, Histogram]


def count_reply(client: redis.Redis, model: str, status: str, times: Times) -> None:
    """Counts a settled reply, in one pipeline. Where Redis is away the reply is missing in the metrics."""
    key = scripts.key("replies", model)
    observed = {
        "queued_seconds": times.queued,
        "first_token_seconds": times.first_token,
        "token_seconds": times.per_token,
        "tokens": times.tokens,
    }
    with client.pipeline(transaction=False) as pipe:
        pipe.hincrby(key, f"ended:{status}", 1)
        pipe.hincrby(key, "prompt_tokens", times.prompt_tokens)
        pipe.hincrby(key, "completion_tokens", times.tokens)
        if times.is_estimated:
            pipe.hincrby(key, "estimated_tokens", times.prompt_tokens + times.tokens)
        for name, value in observed.items():
            if value is not None:
                pipe.hincrby(key, f"{name}:{_bound(name, value)}", 1)
                pipe.hincrby(key, f"{name}:sum", round(value * MICRO))
        pipe.execute()


def replies(client: redis.Redis, model: str) -> Replies:
    stored: Any = client.hgetall(scripts.key("replies", model))
    ended = {name.removeprefix("ended:"): int(n) for name, n in stored.items() if name.startswith("ended:")}
    return Replies(
        ended,
        int(stored.get("prompt_tokens", 0)),
        int(stored.get("completion_tokens", 0)),
        int(stored.get("estimated_tokens", 0)),
        {name: _histogram(name, stored) for name in BUCKETS},
    )


def _bound(name: str, value: float) -> str:
    bounds = BUCKETS[name]
    place = bisect_left(bounds, value)
    return str(float(bounds[place])) if place < len(bounds) else "+Inf"


def _histogram(name: str, stored: Mapping[str, str]) -> Histogram:
    buckets, below = [], 0
    for bound in (*(str(float(bound)) for bound in BUCKETS[name]), "+Inf"):
        below += int(stored.get(f"{name}:{bound}", 0))
        buckets.append((bound, float(below)))
    return Histogram(buckets, int(stored.get(f"{name}:sum", 0)) / MICRO)
