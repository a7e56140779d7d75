"""Reads what Redis holds of replies: logs, leases, titles that a model made. Calls raise redis.RedisError."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chat.turns import redis_client
from inference.wire import lease
from inference.wire import log as token_log
from inference.wire import queue as fair_queue
from inference.wire.lease import LeaseState
from inference.wire.log import Log
from inference.worker import titles


def read_log(generation_id: UUID) -> Log:
    return token_log.read(redis_client.client(), str(generation_id))


def fetch_title(generation_id: UUID) -> str:
    """Returns the title that the model gave a reply's conversation, and forgets it; "" if there is none."""
    return titles.fetch(redis_client.client(), str(generation_id))


def lease_states(generation_ids: Sequence[UUID]) -> list[LeaseState]:
    return lease.states(redis_client.client(), [str(pk) for pk in generation_ids])


def held_by(worker: str) -> list[UUID]:
    return [UUID(pk) for pk in lease.held_by(redis_client.client(), worker)]


def unfinished(model: str) -> set[UUID]:
    return {UUID(pk) for pk in fair_queue.unfinished(redis_client.client(), model)}
