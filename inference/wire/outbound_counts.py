"""Counts requests to other machines (inference/base/outbound) in Redis, for all processes together.

Celery's processes have no HTTP port: the web process reads the sums for `/metrics` and the staff page.
Only purposes, outcomes and numbers are stored, never a host. No torch, no Django.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import redis

from inference.base.outbound import count_with
from inference.wire import scripts

logger = logging.getLogger("grokweb.outbound")

SEND_SECONDS, RETRY_SECONDS = 1.0, 5.0
Counts = dict[tuple[str, str], int]  # by purpose and outcome


def key() -> str:
    return scripts.key("outbound")


class OutboundCounts:
    """Adds up what this process does, and sends it in a thread of its own: no request waits for Redis."""

    def __init__(self, connect: Callable[[], redis.Redis]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._new = threading.Event()
        self._thread: threading.Thread | None = None

    def count(self, purpose: str, outcome: str) -> None:
        with self._lock:
            self._counts[f"{purpose}:{outcome}"] += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="outbound-counts", daemon=True)
                self._thread.start()
                atexit.register(self._send_last)
        self._new.set()

    def send(self, client: redis.Redis) -> None:
        """Adds what is not sent yet to the sums. Raises RedisError; then it is kept for the next call."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            with client.pipeline() as pipe:
                for field, number in counts.items():
                    pipe.hincrby(key(), field, number)
                pipe.execute()
        except redis.RedisError:
            with self._lock:
                self._counts.update(counts)
            raise

    def _run(self) -> None:
        client = self._connect()
        while True:
            self._new.wait()
            self._new.clear()
            try:
                self.send(client)
            except redis.RedisError as error:
                logger.warning("requests are not counted yet: %s", error)
                self._new.set()
                time.sleep(RETRY_SECONDS)
            else:
                time.sleep(SEND_SECONDS)

    def _send_last(self) -> None:
        with contextlib.suppress(redis.RedisError):
            self.send(self._connect())


def count_outbound(connect: Callable[[], redis.Redis]) -> None:
    """Counts every request of this process from now on; `connect` is first called after one has ended."""
    count_with(OutboundCounts(connect).count)


def read(client: redis.Redis) -> Counts:
    """Returns the sums since Redis began to count."""
    stored: Any = client.hgetall(key())
    pairs = ((*field.partition(":")[::2], number) for field, number in stored.items())
    return {(purpose, outcome): int(number) for purpose, outcome, number in sorted(pairs)}
