"""Waits until the page answers, and until a model worker has announced itself."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable

from grokweb.service_plan import Plan


class Readiness:
    """Watches the start of the processes, in a thread of its own.

    `redis_url` returns the address of Redis, `worker_started` the moment in which the present process of the
    default model's worker was started (monotonic), or None while there is none, `default_slug` that model.
    """

    def __init__(
        self,
        plan: Plan,
        redis_url: Callable[[], str],
        worker_started: Callable[[], float | None],
        default_slug: Callable[[], str],
    ) -> None:
        self.plan = plan
        self.page_answers = threading.Event()
        self.model_answers = threading.Event()
        self._redis_url, self._worker_started = redis_url, worker_started
        self._workers_before: set[str] = set()
        self._default_slug = default_slug
        self.fetch: dict[str, str] = {}  # what the worker announces of a fetch of its model by name

    def watch(self) -> None:
        threading.Thread(target=self._watch, name="watch-start", daemon=True).start()

    def _watch(self) -> None:
        while "web" not in self.plan.without and not self._ready():
            time.sleep(0.05)
        self.page_answers.set()
        if "model-worker" in self.plan.without:
            return
        while not self._announced():
            time.sleep(0.1)
        self.model_answers.set()

    def _ready(self) -> bool:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.plan.bind, self.plan.bind)  # noqa: S104
        connection = http.client.HTTPConnection(host, self.plan.port, timeout=5)
        try:
            connection.request("GET", "/readyz", headers={"Host": self.plan.host})
            answer = connection.getresponse()
            return answer.status == 200 or lacks_space(answer.read())
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _announced(self) -> bool:
        import redis

        from inference.wire import fetching, queue, scripts

        slug = self._default_slug()
        try:
            with scripts.connect(self._redis_url()) as client:
                names = {worker.name for worker in queue.workers(client, slug)}
                self.fetch = fetching.fetch_of(client, slug)
        except redis.RedisError:
            return False
        started = self._worker_started()
        if started is None or time.monotonic() - started < 0.5:
            self._workers_before |= names  # announced by an earlier run; they expire
            return False
        return bool(names - self._workers_before)


def lacks_space(answer: bytes) -> bool:
    """Returns whether /readyz names a disk: the process answers, and the rest fails for that reason.

    Without a free block SQLite cannot even be read; the start must not wait for an operator to make room.
    """
    try:
        failing = json.loads(answer)["failing"]
    except (ValueError, KeyError, TypeError):
        return False
    return any(name.startswith("disk:") for name in failing)
