"""Decides when reconcile pauses, so that workers can register again with a Redis that started (rule 9)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings

from chat.turns import redis_client
from chat.turns.reply_state import lease_states
from inference.settings import LEASE_SECONDS
from inference.wire import scripts


def must_wait_for_workers(live: Callable[[], Sequence[UUID]]) -> bool:
    """Returns whether reconcile has to pause, because Redis started or lost its data while replies were live
    (rule 9).

    Workers register again what they hold meanwhile; earlier, a reply that is being written would look lost.
    Call it in every pass, also in an idle one: then the pause begins with Redis' start, not with the first
    fault after it. `live` returns the ids of live replies; it is called only when Redis is another one than
    in the pass before.
    """
    marker, rest = scripts.key("marker"), scripts.key("rest")
    with redis_client.client().pipeline(transaction=False) as pipe:
        pipe.info("server")
        pipe.get(marker)
        pipe.exists(rest)
        server, known, is_resting = pipe.execute()
    if known == server["run_id"]:
        return _refused_writes(rest, live) or bool(is_resting)
    seconds = _rest_seconds(float(server["uptime_in_seconds"]), live(), lost=known is None)
    with redis_client.client().pipeline() as pipe:
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
    stats: Any = redis_client.client().info("errorstats")
    count = str(stats.get("errorstat_MISCONF", {}).get("count", 0))
    if count == (redis_client.client().get(seen) or "0"):
        return False
    rests = count != "0" and bool(live())
    with redis_client.client().pipeline() as pipe:
        pipe.set(seen, count)
        if rests:
            pipe.set(rest, 1, px=max(1, int(settings.REDIS_REST_SECONDS * 1000)))
        pipe.execute()
    return rests
