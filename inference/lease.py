"""Who is alive: leases on running replies, in Redis' own time (rule 7). No torch, no Django."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import redis

from inference import scripts, settings
from inference.contract import GenerationRequest


@dataclass(frozen=True, slots=True)
class Renewal:
    code: Literal["ok", "stale", "missing"]
    stop: bool
    settled: bool
    ended: bool  # the log has its terminal entry, as far as Redis remembers


def renew(client: redis.Redis, worker: str, held: Sequence[tuple[str, int]]) -> list[Renewal]:
    """Keeps the leases of (generation id, attempt) pairs; also tells of stop flags and of saved texts."""
    if not held:
        return []
    flat = [part for pair in held for part in pair]
    answer = scripts.run(client, "renew", worker, int(settings.LEASE_SECONDS * 1000), *flat)
    return [
        Renewal(code, bool(stop), settled=state == "s", ended=state in ("e", "s"))
        for code, stop, state in answer
    ]


def register(
    client: redis.Redis, worker: str, request: GenerationRequest
) -> tuple[Literal["ok", "stale", "ended"], int]:
    """After Redis lost data: enters a held reply again (rule 9). Also gives the last number in its log."""
    code, last = scripts.run(
        client,
        "register",
        request.generation_id,
        request.attempt,
        worker,
        int(settings.LEASE_SECONDS * 1000),
        request.model,
        request.user_key,
        request.weight,
        request.estimate,
        request.running_limit,
        request.strikes,
        request.to_json(),
        request.cache_key,
    )
    return code, int(last)


@dataclass(frozen=True, slots=True)
class Look:
    """What Redis knows of a live row. attempt 0: nothing."""

    attempt: int
    state: str  # q waiting, r running, e ended, s settled
    worker: str
    leased: bool
    ended: bool


def look(client: redis.Redis, generation_ids: Sequence[str]) -> list[Look]:
    if not generation_ids:
        return []
    rows = scripts.run(client, "look", *generation_ids)
    return [
        Look(int(a), state, worker, bool(leased), bool(ended)) for a, state, worker, leased, ended in rows
    ]


def held_by(client: redis.Redis, worker: str) -> set[str]:
    """What a worker had in flight, also after its death: for its verdict (rule 8)."""
    return set(client.smembers(scripts.key("held", worker)))  # type: ignore[arg-type]
