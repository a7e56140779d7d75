"""Runs the fair queue in Redis, one for each model, and announces workers. No torch, no Django."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import redis

from inference import settings
from inference.contract import CONTRACT_VERSION, GenerationRequest, Resume
from inference.wire import scripts

PREFIX_MS = 3_600_000  # how long a worker counts as the holder of a conversation; its cache forgets sooner
# A model that nobody ran for so long is announced no more: it is longer than any wait for a model
# (GROKWEB_QUEUE_TIMEOUT).
ANNOUNCED_SECONDS = 2 * 86_400
FORGET_BATCH = 500  # Redis does nothing else meanwhile
Submitted = Literal["queued", "known", "stale", "ended"]
StopAnswer = Literal["ended", "flagged", "already", "unknown"]


@dataclass(frozen=True, slots=True)
class Claim:
    """Holds what a claim got: a request to run, or (request None) a reply that was stopped before it ran."""

    generation_id: str
    attempt: int
    request: GenerationRequest | None


def submit(client: redis.Redis, request: GenerationRequest, *, front: bool = False) -> Submitted:
    """Queues a request; idempotent by (id, attempt). The bound on the length is in the database (rule 5)."""
    answer: Submitted = scripts.run(
        client,
        "submit",
        request.generation_id,
        request.attempt,
        request.model,
        request.user_key,
        request.weight,
        request.estimate,
        request.running_limit,
        request.strikes,
        int(front),
        request.to_json(),
        request.cache_key,
        request.required_version,
        request.run,
    )
    return answer


def claim(
    client: redis.Redis, model: str, worker: str, *, suspects: bool
) -> Claim | Literal["elsewhere"] | None:
    """Leases the next reply to `worker` for a free slot; returns None when nobody waits.

    "elsewhere": the waiting replies belong to conversations that another worker holds in its cache, and that
    worker has room. Each reply is left so once; the caller wakes a worker, and whoever claims next gets it.
    A request that needs a newer contract than `worker` announced is left for another worker.
    """
    answer = scripts.run(
        client, "claim", model, worker, int(settings.LEASE_SECONDS * 1000), int(suspects), PREFIX_MS
    )
    if answer is None:
        return None
    if answer == ["elsewhere"]:
        return "elsewhere"
    kind, generation_id, attempt, _strikes, payload = answer
    request = GenerationRequest.from_json(payload) if kind == "run" else None
    return Claim(generation_id, int(attempt), request)


def release(client: redis.Redis, generation_id: str, attempt: int, worker: str) -> bool:
    """Hands a reply over: back to the head of the queue, without a strike (rule 11)."""
    return bool(scripts.run(client, "release", generation_id, attempt, worker) == "released")


def stop(client: redis.Redis, generation_id: str) -> StopAnswer:
    """Stops a reply (rule 10). `ended`: it still waited and its log now ends; the caller publishes that."""
    answer: StopAnswer = scripts.run(client, "stop", generation_id)
    return answer


def settled(client: redis.Redis, generation_id: str) -> None:
    """Marks a reply whose row is saved: deletes the prompt and lets the log expire (rule 3, rule 15)."""
    scripts.run(client, "settled", generation_id, settings.LOG_KEEP_SECONDS * 1000)


def forget(client: redis.Redis, generation_ids: Sequence[str]) -> None:
    """Deletes logs and titles of settled replies now, instead of letting them expire.

    The fact that they were settled stays known for a while, or their worker would write the logs again.
    """
    for start in range(0, len(generation_ids), FORGET_BATCH):
        ids = generation_ids[start : start + FORGET_BATCH]
        client.delete(*(scripts.key(kind, pk) for kind in ("log", "title") for pk in ids))


def waiting(client: redis.Redis, model: str) -> list[str]:
    """Returns ids in the order in which they will be served."""
    return list(scripts.run(client, "waiting", model))


def unfinished(client: redis.Redis, model: str) -> set[str]:
    """Returns ids that wait or run, as far as Redis knows."""
    return set(client.smembers(scripts.key("q", model, "ids")))  # type: ignore[arg-type]


def pace_ms(client: redis.Redis, model: str) -> float | None:
    """Returns the mean time of the last replies of this model, in milliseconds; None before the first one."""
    raw: Any = client.hget(scripts.key("q", model, "pace"), "ms")
    return float(raw) if raw else None


# --- Workers and models as their workers announce them ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Worker:
    name: str
    slots: int
    busy: int
    back_end: str = ""
    fingerprint: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)  # see inference/wire/metrics.py
    contract: int = 1  # the version that it announced (inference/contract.py)
    problem: str = ""  # an ErrorCode: why its engine cannot answer now


def announce_model(client: redis.Redis, slug: str, *, host: str = "", **card: str | int) -> None:
    """Announces the model of a worker on `host` for the chat side's ModelCard. Workers repeat it with every
    heartbeat; it ends ANNOUNCED_SECONDS after the last one."""
    fields: Any = {**card, "host": host}
    with client.pipeline(transaction=False) as pipe:
        pipe.hset(scripts.key("model", slug), mapping=fields)
        pipe.expire(scripts.key("model", slug), ANNOUNCED_SECONDS)
        pipe.sadd(scripts.key("models"), slug)
        pipe.execute()


def withdraw_model(client: redis.Redis, slug: str) -> None:
    client.delete(scripts.key("model", slug))
    client.srem(scripts.key("models"), slug)


def announced_models(client: redis.Redis) -> dict[str, dict[str, str]]:
    """Returns what is announced by slug, and forgets the names of announcements that have ended."""
    cards: dict[str, dict[str, str]] = {}
    slugs: Any = client.smembers(scripts.key("models"))
    for slug in slugs:
        said: Any = client.hgetall(scripts.key("model", slug))
        if said:
            cards[slug] = said
            if client.ttl(scripts.key("model", slug)) < 0:  # of a worker older than ANNOUNCED_SECONDS
                client.expire(scripts.key("model", slug), ANNOUNCED_SECONDS)
        else:
            client.srem(scripts.key("models"), slug)
    return cards


def beat(
    client: redis.Redis,
    model: str,
    worker: str,
    *,
    slots: int,
    busy: int,
    back_end: str,
    fingerprint: str,
    metrics: Mapping[str, float],
    problem: str = "",
    contract: int = CONTRACT_VERSION,
    resume: Resume = Resume.EXACT,
) -> None:
    """Writes a worker's heartbeat, which lives for two leases. lua/claim.lua reads `contract` and `resume`
    in it."""
    life = int(settings.LEASE_SECONDS * 2000)
    said: Any = {
        "slots": slots,
        "busy": busy,
        "back_end": back_end,
        "fingerprint": fingerprint,
        "contract": contract,
        "problem": problem,
        "resume": str(resume),
        "metrics": json.dumps(metrics),
    }
    with client.pipeline(transaction=False) as pipe:
        pipe.hset(scripts.key("worker", worker), mapping=said)
        pipe.pexpire(scripts.key("worker", worker), life)
        pipe.zadd(scripts.key("workers", model), {worker: time.time()})
        pipe.execute()


def leave(client: redis.Redis, model: str, worker: str) -> None:
    client.zrem(scripts.key("workers", model), worker)
    client.delete(scripts.key("worker", worker))


def workers(client: redis.Redis, model: str) -> list[Worker]:
    """Returns workers whose heartbeat has not expired, and removes the names of the others."""
    names: list[str] = client.zrange(scripts.key("workers", model), 0, -1)  # type: ignore[assignment]
    found = []
    for name in names:
        said: Any = client.hgetall(scripts.key("worker", name))
        if said:
            found.append(_worker(name, said))
        else:
            client.zrem(scripts.key("workers", model), name)
    return found


def _worker(name: str, said: Mapping[str, str]) -> Worker:
    """Leaves empty what an older version does not announce: workers are replaced one after the other."""
    return Worker(
        name,
        int(said["slots"]),
        int(said["busy"]),
        said.get("back_end", ""),
        said.get("fingerprint", ""),
        json.loads(said.get("metrics", "{}")),  # an older version has them under another name
        int(said.get("contract", 1)),
        said.get("problem", ""),
    )
