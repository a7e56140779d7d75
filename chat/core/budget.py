"""One budget per person for what they ask of the web processes, over all their sockets, tabs and requests.

It lies in Redis as a bucket that refills, so that all web processes share it. A process takes a few units at
once and spends them without asking again; an empty bucket is remembered until it has refilled, so that a
flood costs no round trip either. Without Redis each process counts alone, with half of everything.
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

logger = logging.getLogger("grokweb.budget")

BURST_SECONDS = 10  # of the rate: what may be asked for at once after a rest
# What things cost, in simple reads. Views state theirs with `costs` (chat/core/gate.py).
READ, WRITE, CONNECT, ASK = 1, 2, 4, 5
FRAME_BYTES_A_UNIT = 4096  # a long frame costs what parsing it does
LEASED = 8  # units taken from Redis at once
LEASE_SECONDS = 5.0  # then units that were not spent are lost; bounds what many processes hold
PEOPLE = 10_000  # remembered by one process
REDIS_SECONDS, REDIS_REST_SECONDS = 1.0, 2.0
LONGEST_PAUSE = 8.0

SOCKET_SECONDS = 30  # a socket that nobody vouched for this long is gone, with its process
KEEP = """
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
ENTER = """
local now = redis.call('TIME')[1]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
VOUCH = """
local now = redis.call('TIME')[1]
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now, ARGV[i]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
"""


@dataclass
class Account:
    """Holds the state of one person's budget in this process."""

    units: float = 0.0  # leased
    until: float = 0.0  # the lease
    empty_until: float = 0.0
    refusals: int = 0  # in a row
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    alone: float = 0.0  # the bucket while Redis is away
    alone_at: float = -1.0


class Budget:
    """The budgets as one event loop sees them."""

    def __init__(self) -> None:
        self._accounts: OrderedDict[str, Account] = OrderedDict()
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

    async def take(self, person: str, cost: float) -> float:
        """Spends `cost` units. Returns 0.0, or the seconds until it might be worth asking again."""
        account = self._account(person)
        cost = min(cost, self.rate * BURST_SECONDS)
        wait = self._refused(account) or self._spend(account, cost)
        if wait == 0.0:
            account.refusals = 0
            return 0.0
        if wait is not None:
            account.refusals += 1
            return wait
        async with account.lock:
            if (wait := self._refused(account)) is None and (wait := self._spend(account, cost)) is None:
                await self._lease(person, account, cost)
                wait = self._spend(account, cost)
        if wait == 0.0:
            account.refusals = 0
            return 0.0
        account.refusals += 1
        if wait is None:
            wait = min(5.0, max(0.2, (cost - account.units) / self.rate))
            if account.units < READ:  # else cheap things may still be asked for
                account.empty_until = time.monotonic() + wait
        return wait

    def pause(self, person: str) -> float:
        """Seconds that a socket of somebody over their budget is not read: longer each time in a row."""
        refusals = self._account(person).refusals
        return min(LONGEST_PAUSE, 0.5 * 2 ** min(refusals, 5)) if refusals else 0.0

    def _account(self, person: str) -> Account:
        account = self._accounts.setdefault(person, Account())
        self._accounts.move_to_end(person)
        if len(self._accounts) > PEOPLE:
            self._accounts.popitem(last=False)
        return account

    @staticmethod
    def _refused(account: Account) -> float | None:
        left = account.empty_until - time.monotonic()
        return left if left > 0 else None

    @staticmethod
    def _spend(account: Account, cost: float) -> float | None:
        """0.0 if what is leased was enough, else None."""
        if account.until < time.monotonic():
            account.units = 0.0
        if account.units < cost:
            return None
        account.units -= cost
        return 0.0

    async def _lease(self, person: str, account: Account, cost: float) -> None:
        asked = math.ceil(max(cost - account.units, LEASED))
        account.units += await self._granted(person, account, asked)
        account.until = time.monotonic() + LEASE_SECONDS

    async def _granted(self, person: str, account: Account, asked: int) -> float:
        if time.monotonic() >= self._redis_away_until:
            key = f"{settings.REDIS_PREFIX}:budget:{person}"
            try:
                return float(
                    await self._redis.eval(KEEP, 1, key, self.rate, self.rate * BURST_SECONDS, asked)
                )
            except (RedisError, OSError) as error:
                logger.warning("budgets are counted by each process alone: %s", error)
                self._redis_away_until = time.monotonic() + REDIS_REST_SECONDS
        return self._alone(account, asked)

    def _alone(self, account: Account, asked: int) -> float:
        now, rate = time.monotonic(), self.rate / 2
        since = 0.0 if account.alone_at < 0 else now - account.alone_at
        held = rate * BURST_SECONDS if account.alone_at < 0 else account.alone
        held = min(rate * BURST_SECONDS, held + since * rate)
        granted = min(float(asked), math.floor(held))
        account.alone, account.alone_at = held - granted, now
        return granted

    # --- how many sockets a person has open, in all processes ---------------------------------------------

    async def enter(self, person: str, socket: str, limit: int) -> bool:
        """Whether one more socket may be open. Without Redis the process' own count decides (guard.py)."""
        try:
            return bool(await self._redis.eval(ENTER, 1, _sockets(person), socket, limit, SOCKET_SECONDS))
        except (RedisError, OSError):
            return True

    async def leave(self, person: str, socket: str) -> None:
        try:
            await self._redis.zrem(_sockets(person), socket)
        except (RedisError, OSError):
            return  # it is forgotten after SOCKET_SECONDS

    async def vouch(self, sockets: dict[str, list[str]]) -> None:
        """The sockets of each person that this process still has open."""
        pipe = self._redis.pipeline(transaction=False)
        for person, names in sockets.items():
            pipe.eval(VOUCH, 1, _sockets(person), SOCKET_SECONDS, *names)
        try:
            await pipe.execute()
        except (RedisError, OSError) as error:
            logger.warning("sockets are counted by each process alone: %s", error)

    async def close(self) -> None:
        await self._redis.aclose()


def _sockets(person: str) -> str:
    return f"{settings.REDIS_PREFIX}:sockets:{person}"


_budgets: WeakKeyDictionary[asyncio.AbstractEventLoop, Budget] = WeakKeyDictionary()


def budget() -> Budget:
    """The budgets of the running event loop: of the process (tests have several loops)."""
    loop = asyncio.get_running_loop()
    if loop not in _budgets:
        _budgets[loop] = Budget()
    return _budgets[loop]
