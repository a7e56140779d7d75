"""Reads from outside what a service's Redis contains."""

from __future__ import annotations

from pathlib import Path

import redis

from inference.contract import GenerationRequest, model_queue
from inference.wire import log, queue, scripts

# Of a queue that nobody waits in: whose turn was when, the clock, how many came, how long a reply takes.
STAYS = {"vt", "clock", "arrivals", "pace"}


class Store:
    def __init__(self, data: Path) -> None:
        self._published = data / "run" / "redis.url"

    def client(self) -> redis.Redis:
        """A connection of its own each time: Redis dies in these drills."""
        return scripts.connect(self._published.read_text().strip(), retries=3)

    def leftovers(self) -> list[str]:
        """Returns replies that wait, run or are leased or held, and tickets; nothing when every reply is
        settled.
        """
        with self.client() as client:
            keys = [
                key
                for kind in ("q", "lease", "held")
                for key in client.scan_iter(match=scripts.key(kind, "*"), count=1000)
                if kind != "q" or key.rpartition(":")[2] not in STAYS
            ]
            tickets = [scripts.key("celery", model_queue(slug)) for slug in queue.announced_models(client)]
            return sorted(keys) + [key for key in tickets if client.llen(key)]

    def workers(self, model: str) -> list[queue.Worker]:
        with self.client() as client:
            return queue.workers(client, model)

    def holders(self, generation_ids: list[str]) -> dict[str, int]:
        """The process that has each of them in hand; those without a lease are left out."""
        with self.client() as client:
            names = client.mget([scripts.key("lease", pk) for pk in generation_ids])
        pairs = zip(generation_ids, names, strict=True)
        return {pk: pid_of(name) for pk, name in pairs if name}

    def first_holder(self, generation_ids: list[str], *, tokens: int) -> int:
        """The process that has the first of them with so many tokens in hand; 0 if none was seen in time."""
        names = {log.key(pk): pk for pk in generation_ids}
        places = dict.fromkeys(names, "0-0")
        with self.client() as client:
            while answer := client.xread(places, block=2000):
                for name, entries in answer:
                    places[name] = entries[-1][0]
                    holder = client.get(scripts.key("lease", names[name]))
                    if holder and int(places[name].partition("-")[0]) >= tokens:
                        return pid_of(holder)
        return 0

    def is_cut(self, generation_id: str, pid: int) -> bool:
        """Returns whether a process that is dead left it with some tokens and without an end."""
        with self.client() as client:
            told = log.read(client, generation_id)
            worker = client.hget(scripts.key("gen", generation_id), "worker")
        return bool(told.pieces and told.end is None and worker and pid_of(worker) == pid)

    def request(self, generation_id: str) -> GenerationRequest:
        """As the worker got it; gone once the reply is settled."""
        with self.client() as client:
            payload = client.hget(scripts.key("gen", generation_id), "payload")
        assert isinstance(payload, str), f"no request of {generation_id}"
        return GenerationRequest.from_json(payload)


def pid_of(worker: str) -> int:
    """A worker (inference/worker/runtime.py) names itself <host>-<pid>-<random>."""
    return int(worker.rsplit("-", 2)[1])
