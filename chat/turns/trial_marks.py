"""Marks in Redis the trials that run: who began each, and which entries of the queue have no row on purpose.

Calls raise redis.RedisError.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chat.turns import redis_client
from inference.wire import scripts


@dataclass(frozen=True, slots=True)
class Trial:
    id: UUID
    model: str


def put(by: UUID, trial: Trial, *, seconds: int) -> bool:
    """Marks a trial, unless this staff member has one that runs; returns whether it did."""
    said = json.dumps({"id": str(trial.id), "model": trial.model})
    if not redis_client.client().set(_of(by), said, nx=True, ex=seconds):
        return False
    redis_client.client().set(_mark(trial.id), 1, ex=seconds)
    return True


def trial_of(by: UUID) -> Trial | None:
    """Returns the trial of a staff member that runs."""
    said: Any = redis_client.client().get(_of(by))
    if said is None:
        return None
    known = json.loads(said)
    return Trial(UUID(known["id"]), known["model"])


def remove(by: UUID, trial: Trial) -> None:
    redis_client.client().delete(_of(by), _mark(trial.id))


def trials_among(ids: Collection[UUID]) -> set[UUID]:
    """Returns those of the replies that are trials."""
    among = list(ids)
    if not among:
        return set()
    marks: Any = redis_client.client().mget([_mark(pk) for pk in among])
    return {pk for pk, mark in zip(among, marks, strict=True) if mark}


def _of(by: UUID) -> str:
    return scripts.key("trial", "by", str(by))


def _mark(pk: UUID) -> str:
    return scripts.key("trial", str(pk))
