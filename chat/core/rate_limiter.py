"""Limits the rate of each user's requests and frames with a token bucket in Redis.

All web processes share the buckets. A process leases a few units at once and spends them without a round
trip; it remembers an empty bucket until that has refilled, so that a flood costs no round trip either.
Without Redis each process counts alone, with half of the rate and the burst.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import redis.asyncio as aioredis
from django.conf import settings
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

logger = logging.getLogger("grokweb.rate_limiter")

BURST_SECONDS = 10  # of the rate: the size of the bucket
# Costs of requests, in simple reads. Views state theirs with `request_cost` (chat/core/load_shedding.py).
READ, WRITE, CONNECT, ASK = 1, 2, 4, 5
FRAME_BYTES_A_UNIT = 4096  # a long frame costs as much as parsing it
LEASED = 8  # units taken from Redis at once
LEASE_SECONDS = 5.0  # then units that were not spent are lost; bounds what many processes hold
MAX_BUCKETS = 10_000  # in one process
REDIS_SECONDS, REDIS_REST_SECONDS = 1.0, 2.0
MAX_BACKOFF = 8.0

SOCKET_SECONDS = 30  # without a refresh for this long, a socket counts as closed
LEASE = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1000000
local rate, burst, asked = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local held = redis.call('HMGET', KEYS[1], 'units', 'at')
local since = math.max(0, now - (tonumber(held[2]) or now))
local units = math.min(burst, (tonumber(held[1]) or burst) + since * rate)
local granted = math.max(0, math.min(asked, math.floor(units)))
redis.call('HSET', KEYS[1], 'units', tostring(units - granted), 'at', tostring(now))
redis.call('EXPIRE', KEYS[1], math.ceil(burst / rate) + 60)
return granted
"""
REGISTER = """
local now = redis.call('TIME')[1]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
REFRESH = """
local now = redis.call('TIME')[1]
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now, ARGV[i]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
"""


@dataclass
class Bucket:
    """Holds the state of one user's bucket in this process."""

    units: float = 0.0  # leased
    until: float = 0.0  # the lease
    empty_until: float = 0.0
    refusals: int = 0  # in a row
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    alone: float = 0.0  # the bucket while Redis is away
    alone_at: float = -1.0


class RateLimiter:
    """The rate limiter of one event loop."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._redis_away_until = 0.0
        self._redis = aioredis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=REDIS_SECONDS,
            socket_connect_timeout=REDIS_SECONDS,
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )

    @property
    def rate(self) -> float:
        return float(settings.PERSON_RATE)

    async def acquire(self, user: str, cost: float) -> float:
        """Spends `cost` units. Returns 0.0, or the seconds after which the caller may try again."""
        bucket = self._bucket(user)
        cost = min(cost, self.rate * BURST_SECONDS)
        wait = self._refused(bucket) or self._spend(bucket, cost)
        if wait == 0.0:
            bucket.refusals = 0
            return 0.0
        if wait is not None:
            bucket.refusals += 1
            return wait
        async with bucket.lock:
            if (wait := self._refused(bucket)) is None and (wait := self._spend(bucket, cost)) is None:
                await self._lease(user, bucket, cost)
                wait = self._spend(bucket, cost)
        if wait == 0.0:
            bucket.refusals = 0
            return 0.0
        bucket.refusals += 1
        if wait is None:
            wait = min(5.0, max(0.2, (cost - bucket.units) / self.rate))
            if bucket.units < READ:  # else cheap things may still be asked for
                bucket.empty_until = time.monotonic() + wait
        return wait

    def backoff(self, user: str) -> float:
        """Returns the seconds for which a socket over its rate is not read: longer each time in a row."""
        refusals = self._bucket(user).refusals
        return min(MAX_BACKOFF, 0.5 * 2 ** min(refusals, 5)) if refusals else 0.0

    def _bucket(self, user: str) -> Bucket:
        bucket = self._buckets.setdefault(user, Bucket())
        self._buckets.move_to_end(user)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return bucket

    @staticmethod
    def _refused(bucket: Bucket) -> float | None:
        left = bucket.empty_until - time.monotonic()
        return left if left > 0 else None

    @staticmethod
    def _spend(bucket: Bucket, cost: float) -> float | None:
        """Returns 0.0 if the leased units were enough, else None."""
        if bucket.until < time.monotonic():
            bucket.units = 0.0
        if bucket.units < cost:
            return None
        bucket.units -= cost
        return 0.0

    async def _lease(self, user: str, bucket: Bucket, cost: float) -> None:
        asked = math.ceil(max(cost - bucket.units, LEASED))
        bucket.units += await self._granted(user, bucket, asked)
        bucket.until = time.monotonic() + LEASE_SECONDS

    async def _granted(self, user: str, bucket: Bucket, asked: int) -> float:
        if time.monotonic() >= self._redis_away_until:
            key = f"{settings.REDIS_PREFIX}:rate:{user}"
            try:
                return float(
                    await self._redis.eval(LEASE, 1, key, self.rate, self.rate * BURST_SECONDS, asked)
                )
            except (RedisError, OSError) as error:
                logger.warning("rates are counted by each process alone: %s", error)
                self._redis_away_until = time.monotonic() + REDIS_REST_SECONDS
        return self._alone(bucket, asked)

    def _alone(self, bucket: Bucket, asked: int) -> float:
        now, rate = time.monotonic(), self.rate / 2
        since = 0.0 if bucket.alone_at < 0 else now - bucket.alone_at
        held = rate * BURST_SECONDS if bucket.alone_at < 0 else bucket.alone
        held = min(rate * BURST_SECONDS, held + since * rate)
        granted = min(float(asked), math.floor(held))
        bucket.alone, bucket.alone_at = held - granted, now
        return granted

    # --- Sockets of a user, in all processes --------------------------------------------------------------

    async def register_socket(self, user: str, socket: str, limit: int) -> bool:
        """Returns whether one more socket may be open. Without Redis only the process' own count decides."""
        try:
            return bool(await self._redis.eval(REGISTER, 1, sockets_key(user), socket, limit, SOCKET_SECONDS))
        except (RedisError, OSError):
            return True

    async def unregister_socket(self, user: str, socket: str) -> None:
        try:
            await self._redis.zrem(sockets_key(user), socket)
        except (RedisError, OSError):
            return  # it is forgotten after SOCKET_SECONDS

    async def refresh_sockets(self, sockets: dict[str, list[str]]) -> None:
        """Renews the sockets of each user that this process has open."""
        pipe = self._redis.pipeline(transaction=False)
        for user, names in sockets.items():
            pipe.eval(REFRESH, 1, sockets_key(user), SOCKET_SECONDS, *names)
        try:
            await pipe.execute()
        except (RedisError, OSError) as error:
            logger.warning("sockets are counted by each process alone: %s", error)

    async def close(self) -> None:
        await self._redis.aclose()


def sockets_key(user: str) -> str:
    return f"{settings.REDIS_PREFIX}:sockets:{user}"


_limiters: WeakKeyDictionary[asyncio.AbstractEventLoop, RateLimiter] = WeakKeyDictionary()


def rate_limiter() -> RateLimiter:
    """Returns the rate limiter of the running event loop (tests have several)."""
    loop = asyncio.get_running_loop()
    if loop not in _limiters:
        _limiters[loop] = RateLimiter()
    return _limiters[loop]
