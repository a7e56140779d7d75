"""The only file of `chat` that queues inference work; live.py reads the token logs.

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
from django.conf import settings
from kombu.exceptions import OperationalError

from grokweb.celery import app
from inference import figures, lease, scripts, titles
from inference import log as token_log
from inference import queue as fair_queue
from inference.contract import (
    CHAT_QUEUE,
    FINISH_TASK,
    SERVE_TASK,
    ErrorCode,
    GenerationRequest,
    Reason,
    model_queue,
)
from inference.lease import Look
from inference.log import Log
from inference.settings import LEASE_SECONDS
from inference.text.alternate import alternate

logger = logging.getLogger("grokweb.turns")

Worker = fair_queue.Worker
UNAVAILABLE = (redis.RedisError, OperationalError)
_local = threading.local()


def client() -> redis.Redis:
    """One connection a thread."""
    if not hasattr(_local, "client"):
        _local.client = scripts.connect(settings.REDIS_URL)
    made: redis.Redis = _local.client
    return made


def opaque(kind: str, pk: UUID) -> str:
    """What inference sees instead of an id of ours."""
    digest = hmac.new(settings.SECRET_KEY.encode(), f"{kind}:{pk.hex}".encode(), hashlib.sha256)
    return digest.hexdigest()[:32]


def in_turn(history: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages in an order that every model's template accepts."""
    return alternate(history)


def submit(request: GenerationRequest, *, front: bool = False) -> fair_queue.Submitted:
    """Puts a reply into the fair queue and wakes a worker."""
    answer = fair_queue.submit(client(), request, front=front)
    if answer in ("queued", "known"):
        ticket(request.model)
    return answer


def ticket(model: str, count: int = 1) -> None:
    """Wake-ups for a model's workers; lost or doubled ones are harmless (rule 6)."""
    for _ in range(count):
        app.send_task(SERVE_TASK, queue=model_queue(model), expires=60, retry=False, ignore_result=True)


def publish_finish(generation_id: UUID, attempt: int) -> None:
    app.send_task(FINISH_TASK, args=[str(generation_id), attempt], queue=CHAT_QUEUE, retry=False)


def stop(generation_id: UUID, attempt: int) -> fair_queue.StopAnswer:
    """Rule 10: ends it where it waits, else flags it for its worker."""
    answer = fair_queue.stop(client(), str(generation_id))
    if answer == "ended":
        publish_finish(generation_id, attempt)
    return answer


def end(generation_id: UUID, attempt: int, reason: Reason, error: ErrorCode | None = None) -> str:
    """The terminal entry of a reply that no worker can end any more."""
    return token_log.end(client(), str(generation_id), attempt, reason, str(error or ""))


def read(generation_id: UUID) -> Log:
    return token_log.read(client(), str(generation_id))


def title(generation_id: UUID) -> str:
    """What the model called the conversation of a reply; once; empty if it did not."""
    return titles.fetch(client(), str(generation_id))


def settled(generation_id: UUID) -> None:
    fair_queue.settled(client(), str(generation_id))


def forget(generation_ids: Sequence[UUID]) -> None:
    """What Redis still holds of settled replies."""
    fair_queue.forget(client(), [str(pk) for pk in generation_ids])


def look(generation_ids: Sequence[UUID]) -> list[Look]:
    return lease.look(client(), [str(pk) for pk in generation_ids])


def held_by(worker: str) -> list[UUID]:
    return [UUID(pk) for pk in lease.held_by(client(), worker)]


def unfinished(model: str) -> set[UUID]:
    return {UUID(pk) for pk in fair_queue.unfinished(client(), model)}


def count_reply(model: str, status: str, times: figures.Times) -> None:
    """For the histograms. A settled reply must not look unsettled because they cannot be reached."""
    try:
        figures.count_reply(client(), model, status, times)
    except redis.RedisError as error:
        logger.warning("a reply is missing in the figures: %s", error)


def replies(model: str) -> figures.Replies:
    return figures.replies(client(), model)


def workers(model: str) -> list[Worker]:
    return fair_queue.workers(client(), model)


def note_seen(model: str) -> None:
    """A worker of this model is alive: nobody's wait for it ends for GROKWEB_QUEUE_TIMEOUT from now on."""
    client().set(scripts.key("seen", model), 1, px=max(1, int(settings.QUEUE_TIMEOUT * 1000)))


def was_seen(model: str) -> bool:
    """Whether a worker of this model was alive within GROKWEB_QUEUE_TIMEOUT, as far as Redis remembers."""
    return bool(workers(model)) or bool(client().exists(scripts.key("seen", model)))


def announced_models() -> dict[str, dict[str, str]]:
    return fair_queue.announced_models(client())


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model as Redis knows it now."""

    slug: str
    name: str
    workers: list[Worker]
    waiting: int
    pace_ms: float | None

    @property
    def slots(self) -> int:
        return sum(worker.slots for worker in self.workers)

    @property
    def estimate(self) -> float | None:
        """Seconds until a reply asked for now would be done, as pages are told; None: nobody can say."""
        if not self.slots or self.pace_ms is None:
            return None
        return (self.waiting + 1) / self.slots * self.pace_ms / 1000


def served_models() -> list[ServedModel]:
    return [
        ServedModel(
            slug,
            card.get("name", slug),
            workers(slug),
            len(fair_queue.waiting(client(), slug)),
            fair_queue.pace_ms(client(), slug),
        )
        for slug, card in sorted(announced_models().items())
    ]


def top_up(model: str) -> None:
    """As many tickets as there are free slots and waiting replies: lost ones are replaced."""
    waiting = len(fair_queue.waiting(client(), model))
    if waiting:
        free = sum(max(0, worker.slots - worker.busy) for worker in workers(model))
        ticket(model, min(waiting, free))


def places(model: str) -> tuple[dict[str, int], float | None, int]:
    """Place (from 1) of every waiting reply, mean milliseconds a reply, and slots of the living workers."""
    order = fair_queue.waiting(client(), model)
    slots = sum(worker.slots for worker in workers(model))
    return {pk: n for n, pk in enumerate(order, start=1)}, fair_queue.pace_ms(client(), model), slots


def resting(live: Callable[[], Sequence[UUID]]) -> bool:
    """Rule 9: whether reconcile rests, because Redis started or lost its data while replies were live.

    Workers enter again what they hold meanwhile; a judgement before that would take living work for dead.
    Ask in every pass, also in an idle one: then the rest begins with Redis' start, not with the first fault
    after it. `live`: ids of the live replies, read only when Redis is another one than in the pass before.
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
    """How long to rest from now on, at the first sight of a Redis. `lost`: our marker is not in it."""
    if not live:
        return 0.0  # whatever is asked from now on, this Redis has
    since_start = settings.REDIS_REST_SECONDS - uptime
    if lost and since_start <= 0:  # emptied while it ran, or never met before: then it has every live reply
        return 0.0 if all(found.attempt for found in look(live)) else settings.REDIS_REST_SECONDS
    # It may have read its file for longer than that: workers get the life of a lease to come back.
    return max(since_start, min(settings.REDIS_REST_SECONDS, LEASE_SECONDS))


def _refused_writes(rest: str, live: Callable[[], Sequence[UUID]]) -> bool:
    """Whether Redis refused writes under live replies since the last pass, because its disk was full; then a
    rest begins.

    Leases ran out meanwhile although their workers live: they get the time to renew them first. `seen` has
    Redis' own count of such refusals, which begins anew at its start.
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
