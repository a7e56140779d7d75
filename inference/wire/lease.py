"""Renews and lists the leases by which workers prove, in Redis' time, that they live (rule 7). No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import redis

from inference import settings
from inference.contract import GenerationRequest
from inference.wire import scripts


@dataclass(frozen=True, slots=True)
class Renewal:
    code: Literal["ok", "stale", "missing"]
    stop: bool
    settled: bool
    ended: bool  # the log has its terminal entry, as far as Redis remembers


def renew(client: redis.Redis, worker: str, held: Sequence[tuple[str, int]]) -> list[Renewal]:
    """Renews the leases of (generation id, attempt) pairs; returns stop flags and states in that order."""
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
    """Registers a held reply again after Redis lost data (rule 9); also returns the last logged number."""
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
        request.required_version,
        request.run,
    )
    return code, int(last)


@dataclass(frozen=True, slots=True)
class LeaseState:
    """The state of a live row as Redis knows it; attempt 0: Redis does not know it."""

    attempt: int
    state: str  # q waiting, r running, e ended, s settled
    worker: str
    leased: bool
    ended: bool
    seq: int = 0  # number of the last token in the log
    contract: int = 1  # the version that its request needs (inference/contract.py)


def states(client: redis.Redis, generation_ids: Sequence[str]) -> list[LeaseState]:
    """Returns the state of each reply, in the order of the ids."""
    if not generation_ids:
        return []
    rows = scripts.run(client, "lease_states", *generation_ids)
    return [
        LeaseState(int(a), state, worker, bool(leased), bool(ended), int(seq), int(contract))
        for a, state, worker, leased, ended, seq, contract in rows
    ]


def held_by(client: redis.Redis, worker: str) -> set[str]:
    """Returns ids of the replies that a worker had in flight, also after its death (rule 8)."""
    return set(client.smembers(scripts.key("held", worker)))  # type: ignore[arg-type]
