"""The fair queue's scripts driven by hand on a real Redis: who asks, which worker claims, what ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import redis

from inference.contract import CONTRACT_VERSION, GenerationRequest, Piece, Reason, Resume
from inference.wire import log, scripts
from inference.wire import queue as fair_queue

MODEL = "m"


def connect() -> redis.Redis:
    """An emptied Redis."""
    client = scripts.connect()
    client.flushdb()
    return client


def request(generation_id: str, user: str, **fields: Any) -> GenerationRequest:
    asked = {
        "attempt": 1,
        "model": MODEL,
        "messages": ({"role": "user", "content": "?"},),
        "max_new_tokens": 1000,
        "seed": 0,
        **fields,
    }
    return GenerationRequest(generation_id=generation_id, user_key=user, **asked)


def claim(client: redis.Redis, worker: str = "w", *, suspects: bool = True) -> fair_queue.Claim | None:
    """Claims a reply of no conversation that a worker may hold."""
    answer = fair_queue.claim(client, MODEL, worker, suspects=suspects)
    assert answer != "elsewhere"
    return answer


def announce(
    client: redis.Redis,
    worker: str,
    slots: int = 3,
    *,
    contract: int = CONTRACT_VERSION,
    resume: Resume = Resume.EXACT,
) -> None:
    fair_queue.beat(
        client,
        MODEL,
        worker,
        slots=slots,
        busy=0,
        back_end="scripted",
        fingerprint="",
        metrics={},
        contract=contract,
        resume=resume,
    )


def drain(client: redis.Redis, worker: str = "w") -> list[str]:
    """Everything that waits, in the order of the claims; nothing of it ends."""
    served = []
    while (claimed := claim(client, worker)) is not None:
        served.append(claimed.generation_id)
    return served


def write(client: redis.Redis, generation_id: str, attempt: int, worker: str, after: int, seq: int) -> str:
    """One piece, `after` to `seq`; the script's answer."""
    piece = Piece(after, seq, "x" * (seq - after), tuple(range(after, seq)))
    return log.append_all(client, worker, [(generation_id, attempt, piece)])[0][0]


def finish(
    client: redis.Redis, generation_id: str, attempt: int, worker: str, seq: int = 0, prompt: int = 0
) -> str:
    call = log.finish_call(generation_id, attempt, worker, seq, Reason.STOP, {"prompt_tokens": prompt})
    return str(scripts.run_all(client, [call])[0][0])


def able_to_write(
    client: redis.Redis, holders: Sequence[tuple[str, int, str]], lengths: Mapping[str, int]
) -> list[tuple[str, int, str]]:
    """Those of (id, attempt, worker) whose tokens the log would take. A piece with a hole before it tells,
    and changes nothing."""

    def is_able(generation_id: str, attempt: int, worker: str) -> bool:
        at = lengths[generation_id]
        piece = Piece(at + 1, at + 2, "x", (0,))
        return log.append_all(client, worker, [(generation_id, attempt, piece)])[0][0] == "gap"

    return [holder for holder in holders if is_able(*holder)]


def queue_key(name: str) -> str:
    return scripts.key("q", MODEL, name)


def leftovers(client: redis.Redis) -> list[str]:
    """Keys that must be gone when nobody waits or runs: all of the queue's but what it remembers."""
    kept = {queue_key(name) for name in ("vt", "clock", "arrivals", "pace")}
    found = {*client.keys(scripts.key("q", "*")), *client.keys(scripts.key("held", "*"))}
    return sorted((found - kept) | set(client.keys(scripts.key("lease", "*"))))
