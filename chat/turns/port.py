"""The only module of `chat` that queues inference work; live.py reads the token logs.

Redis calls here raise redis.RedisError (or kombu's OperationalError for tickets). Callers run them after the
commit and leave what failed to reconcile: the row is the truth (rule 1).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import redis
from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

from inference.contract import (
    CHAT_QUEUE,
    FINISH_TASK,
    SERVE_TASK,
    GenerationRequest,
    Reason,
    model_queue,
)
from inference.settings import LEASE_SECONDS
from inference.text.alternate import alternate
from inference.wire import lease, scripts
from inference.wire import log as token_log
from inference.wire import metrics as figures
from inference.wire import queue as fair_queue
from inference.wire.lease import LeaseState
from inference.wire.log import Log
from inference.worker import titles

logger = logging.getLogger("grokweb.turns")

Worker = fair_queue.Worker
UNAVAILABLE = (redis.RedisError, OperationalError)
_local = threading.local()


def client() -> redis.Redis:
    """Returns this thread's connection to Redis."""
    if not hasattr(_local, "client"):
        _local.client = scripts.connect(settings.REDIS_URL)
    made: redis.Redis = _local.client
    return made


def opaque(kind: str, pk: UUID) -> str:
    """Returns the HMAC that inference gets in place of an id of ours."""
    digest = hmac.new(settings.SECRET_KEY.encode(), f"{kind}:{pk.hex}".encode(), hashlib.sha256)
    return digest.hexdigest()[:32]


def in_turn(history: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the messages in an order that every model's template accepts."""
    return alternate(history)


def submit(request: GenerationRequest, *, front: bool = False) -> fair_queue.Submitted:
    """Puts a reply into the fair queue and wakes a worker."""
    answer = fair_queue.submit(client(), request, front=front)
    if answer in ("queued", "known"):
        ticket(request.model)
    return answer


def ticket(model: str, count: int = 1) -> None:
    """Sends wake-ups to a model's workers; lost or doubled ones are harmless (rule 6)."""
    for _ in range(count):
        current_app.send_task(
            SERVE_TASK, queue=model_queue(model), expires=60, retry=False, ignore_result=True
        )


def publish_finish(generation_id: UUID, attempt: int) -> None:
    current_app.send_task(FINISH_TASK, args=[str(generation_id), attempt], queue=CHAT_QUEUE, retry=False)


def stop(generation_id: UUID, attempt: int) -> fair_queue.StopAnswer:
    """Ends a reply that waits; flags one that runs for its worker (rule 10)."""
    answer = fair_queue.stop(client(), str(generation_id))
    if answer == "ended":
        publish_finish(generation_id, attempt)
    return answer


def end(generation_id: UUID, attempt: int, reason: Reason, error: str | None = None) -> str:
    """Writes the terminal entry of a reply that no worker can end any more."""
    return token_log.end(client(), str(generation_id), attempt, reason, str(error or ""))


def read(generation_id: UUID) -> Log:
    return token_log.read(client(), str(generation_id))


def title(generation_id: UUID) -> str:
    """Returns the title that the model gave a reply's conversation, and forgets it; "" if there is none."""
    return titles.fetch(client(), str(generation_id))


def settled(generation_id: UUID) -> None:
    fair_queue.settled(client(), str(generation_id))


def forget(generation_ids: Sequence[UUID]) -> None:
    """Deletes what Redis still holds of settled replies."""
    fair_queue.forget(client(), [str(pk) for pk in generation_ids])


def lease_states(generation_ids: Sequence[UUID]) -> list[LeaseState]:
    return lease.states(client(), [str(pk) for pk in generation_ids])


def held_by(worker: str) -> list[UUID]:
    return [UUID(pk) for pk in lease.held_by(client(), worker)]


def unfinished(model: str) -> set[UUID]:
    return {UUID(pk) for pk in fair_queue.unfinished(client(), model)}


def count_reply(model: str, status: str, times: figures.Times) -> None:
    """Counts a settled reply in the histograms. An unreachable Redis must not make it look unsettled."""
    try:
        figures.count_reply(client(), model, status, times)
    except redis.RedisError as error:
        logger.warning("a reply is missing in the metrics: %s", error)


def replies(model: str) -> figures.Replies:
    return figures.replies(client(), model)


def workers(model: str) -> list[Worker]:
    return fair_queue.workers(client(), model)


def note_seen(model: str) -> None:
    """Notes that a worker of this model is alive: no wait for it ends for GROKWEB_QUEUE_TIMEOUT from now
    on."""
    client().set(scripts.key("seen", model), 1, px=max(1, int(settings.QUEUE_TIMEOUT * 1000)))


def was_seen(model: str) -> bool:
    """Returns whether a worker of this model was alive within GROKWEB_QUEUE_TIMEOUT, as far as Redis
    knows."""
    return is_served(model) or bool(client().exists(scripts.key("seen", model)))


def is_served(model: str) -> bool:
    """Returns whether a worker of this model is alive and its engine can answer."""
    return any(not worker.problem for worker in workers(model))


def problem_of(workers: Sequence[Worker]) -> str:
    """Returns the ErrorCode that says why none of a model's workers can answer; "" if one can, or none is."""
    problems = [worker.problem for worker in workers]
    return problems[0] if problems and all(problems) else ""


def announced_models() -> dict[str, dict[str, str]]:
    return fair_queue.announced_models(client())


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The state of one model in Redis: its workers, its queue and its pace."""

    slug: str
    name: str
    context: int  # tokens
    longest: int  # context of the network, which the worker's memory or GROKWEB_CONTEXT may shorten
    workers: list[Worker]
    waiting: int
    pace_ms: float | None

    @property
    def problem(self) -> str:
        return problem_of(self.workers)

    @property
    def slots(self) -> int:
        return sum(worker.slots for worker in self.workers)

    @property
    def estimate(self) -> float | None:
        """Returns seconds until a reply that is asked for now would be done; None if unknown."""
        if not self.slots or self.pace_ms is None:
            return None
        return (self.waiting + 1) / self.slots * self.pace_ms / 1000


def served_models() -> list[ServedModel]:
    return [
        ServedModel(
            slug,
            card.get("name", slug),
            int(card.get("context", 0)),
            int(card.get("longest", 0)),
            workers(slug),
            len(fair_queue.waiting(client(), slug)),
            fair_queue.pace_ms(client(), slug),
        )
        for slug, card in sorted(announced_models().items())
    ]


def top_up(model: str) -> None:
    """Sends as many tickets as there are free slots and waiting replies: lost ones are replaced."""
    waiting = len(fair_queue.waiting(client(), model))
    if waiting:
        free = sum(max(0, worker.slots - worker.busy) for worker in workers(model))
        ticket(model, min(waiting, free))


def queue_positions(model: str) -> tuple[dict[str, int], float | None, int]:
    """Returns the position (from 1) of every waiting reply, mean milliseconds a reply, and slots of the
    living workers."""
    order = fair_queue.waiting(client(), model)
    slots = sum(worker.slots for worker in workers(model))
    return {pk: n for n, pk in enumerate(order, start=1)}, fair_queue.pace_ms(client(), model), slots


def must_wait_for_workers(live: Callable[[], Sequence[UUID]]) -> bool:
    """Returns whether reconcile has to pause, because Redis started or lost its data while replies were live
    (rule 9).

    Workers register again what they hold meanwhile; earlier, a reply that is being written would look lost.
    Call it in every pass, also in an idle one: then the pause begins with Redis' start, not with the first
    fault after it. `live` returns the ids of live replies; it is called only when Redis is another one than
    in the pass before.
    """
    marker, rest = scripts.key("marker"), scripts.key("rest")
    with client().pipeline(transaction=False) as pipe:
        pipe.info("server")
        pipe.get(marker)
        pipe.exists(rest)
        server, known, is_resting = pipe.execute()
    if known == server["run_id"]:
        return _refused_writes(rest, live) or bool(is_resting)
    seconds = _rest_seconds(float(server["uptime_in_seconds"]), live(), lost=known is None)
    with client().pipeline() as pipe:
        pipe.set(marker, server["run_id"])
        pipe.delete(scripts.key("refused"))  # it was the count of the Redis before
        if seconds:
            pipe.set(rest, 1, px=max(1, int(seconds * 1000)))
        pipe.execute()
    return bool(is_resting) or seconds > 0


def _rest_seconds(uptime: float, live: Sequence[UUID], *, lost: bool) -> float:
    """Returns how long to pause from now on, when a Redis is met for the first time. `lost`: our marker is
    not in it."""
    if not live:
        return 0.0  # whatever is asked from now on, this Redis has
    since_start = settings.REDIS_REST_SECONDS - uptime
    if lost and since_start <= 0:  # emptied while it ran, or never met before: then it has every live reply
        return 0.0 if all(found.attempt for found in lease_states(live)) else settings.REDIS_REST_SECONDS
    # It may have read its file for longer than that: workers get the life of a lease to come back.
    return max(since_start, min(settings.REDIS_REST_SECONDS, LEASE_SECONDS))


def _refused_writes(rest: str, live: Callable[[], Sequence[UUID]]) -> bool:
    """Returns whether Redis refused writes under live replies since the last pass, because its disk was full;
    then a pause begins.

    Leases expired meanwhile although their workers live: they get the time to renew them first. The key
    `refused` holds Redis' own count of such refusals, which starts again with Redis.
    """
    seen = scripts.key("refused")
    stats: Any = client().info("errorstats")
    count = str(stats.get("errorstat_MISCONF", {}).get("count", 0))
    if count == (client().get(seen) or "0"):
        return False
    rests = count != "0" and bool(live())
    with client().pipeline() as pipe:
        pipe.set(seen, count)
        if rests:
            pipe.set(rest, 1, px=max(1, int(settings.REDIS_REST_SECONDS * 1000)))
        pipe.execute()
    return rests
