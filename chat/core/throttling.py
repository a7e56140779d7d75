"""Rate limits in Redis, shared by all web processes, counted in fixed windows."""

from __future__ import annotations

import hashlib
import logging
import time

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.translation import ngettext
from redis.exceptions import RedisError

from chat.core.errors import TooManyRequests

log = logging.getLogger(__name__)


def throttle(name: str, key: str, limit: int, seconds: int) -> None:
    """Counts one use of `name` by `key`; raises TooManyRequests above `limit` in a window of `seconds`.

    Without Redis nothing is counted: requests are served, and the log says so.
    """
    now = time.time()
    window, left = int(now // seconds), max(1, int(seconds - now % seconds))
    digest = hashlib.sha256(str(key).encode("utf-8", "surrogatepass")).hexdigest()[:32]
    entry = f"limit:{name}:{digest}:{window}"
    try:
        cache.add(entry, 0, timeout=seconds + 60)  # outlives its window, so incr always finds it
        count = cache.incr(entry)
    except RedisError:
        log.warning("rate limit %s not counted: Redis does not answer", name)
        return
    if count > limit:
        raise TooManyRequests(
            ngettext(
                "Too many requests. Please try again in %(seconds)d second.",
                "Too many requests. Please try again in %(seconds)d seconds.",
                left,
            )
            % {"seconds": left},
            retry_after=left,
        )


def client_address(request: HttpRequest) -> str:
    """Returns the address of a client; behind a proxy, the one that the nearest proxy itself appended."""
    if settings.BEHIND_PROXY:
        forwarded = request.headers.get("X-Forwarded-For", "").rsplit(",", 1)[-1].strip()
        if forwarded:
            return forwarded
    return str(request.META.get("REMOTE_ADDR") or "unknown")
