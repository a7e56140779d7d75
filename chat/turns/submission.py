"""Submits replies to inference, stops and ends them, and frees what Redis holds of them.

Calls raise redis.RedisError (or kombu's OperationalError for tickets). Callers run them after the commit and
leave what failed to reconcile: the row is the truth (rule 1).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from uuid import UUID

from celery import current_app

from chat.turns import redis_client, served_models
from inference.contract import (
    CHAT_QUEUE,
    FINISH_TASK,
    SERVE_TASK,
    GenerationRequest,
    Reason,
    model_queue,
)
from inference.wire import log as token_log
from inference.wire import queue as fair_queue


def submit(request: GenerationRequest, *, front: bool = False) -> fair_queue.Submitted:
    """Puts a reply into the fair queue and wakes a worker."""
    answer = fair_queue.submit(redis_client.client(), _for_living_workers(request), front=front)
    if answer in ("queued", "known"):
        ticket(request.model)
    return answer


def _for_living_workers(request: GenerationRequest) -> GenerationRequest:
    """Returns the request without its context limit where all living workers are of versions that do not know
    it: they read up to their engine's context, and the reply must not wait for a worker that nobody runs."""
    if not request.context_limit:
        return request
    versions = [worker.contract for worker in served_models.workers(request.model)]
    if not versions or max(versions) >= request.required_version:
        return request
    return dataclasses.replace(request, context_limit=0)


def ticket(model: str, count: int = 1) -> None:
    """Sends wake-ups to a model's workers; lost or doubled ones are harmless (rule 6)."""
    for _ in range(count):
        current_app.send_task(
            SERVE_TASK, queue=model_queue(model), expires=60, retry=False, ignore_result=True
        )


def top_up(model: str) -> None:
    """Sends as many tickets as there are free slots and waiting replies: lost ones are replaced."""
    waiting = len(fair_queue.waiting(redis_client.client(), model))
    if waiting:
        free = sum(max(0, worker.slots - worker.busy) for worker in served_models.workers(model))
        ticket(model, min(waiting, free))


def publish_finish(generation_id: UUID, attempt: int) -> None:
    current_app.send_task(FINISH_TASK, args=[str(generation_id), attempt], queue=CHAT_QUEUE, retry=False)


def stop(generation_id: UUID, attempt: int) -> fair_queue.StopAnswer:
    """Ends a reply that waits; flags one that runs for its worker (rule 10)."""
    answer = fair_queue.stop(redis_client.client(), str(generation_id))
    if answer == "ended":
        publish_finish(generation_id, attempt)
    return answer


def end(generation_id: UUID, attempt: int, reason: Reason, error: str | None = None) -> str:
    """Writes the terminal entry of a reply that no worker can end any more."""
    return token_log.end(redis_client.client(), str(generation_id), attempt, reason, str(error or ""))


def settled(generation_id: UUID) -> None:
    fair_queue.settled(redis_client.client(), str(generation_id))


def forget(generation_ids: Sequence[UUID]) -> None:
    """Deletes what Redis still holds of settled replies."""
    fair_queue.forget(redis_client.client(), [str(pk) for pk in generation_ids])
