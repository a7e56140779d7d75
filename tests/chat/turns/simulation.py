"""Workers and a broker that a test moves by hand. Redis, scripts, writer and rows are real."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import redis

from inference.contract import Capabilities, Delta, Ended, GenerationRequest, Kind, Piece, Reason, Resume
from inference.wire import scripts
from inference.worker.runtime import Runtime

SLOTS = 2


def token(seed: int, index: int, run: int = 0) -> str:
    """Returns the engine's output: a pure function of seed, position and run, as rule 13 requires."""
    return f"{(seed + index * 7919) % 997}{'+' * run} "


def kind_of(seed: int, index: int) -> Kind:
    """Every other reply begins with two tokens of a thought, and returns to it at the sixth."""
    return Kind.THOUGHT if seed % 2 and (index < 2 or index == 5) else Kind.TEXT


def script(request: GenerationRequest) -> tuple[int, bool, str]:
    """Returns the length of a step's answer, whether working on it kills the process, and the tool that it
    calls at its end: `5`, `poison`, `3 echo`. After a call, the result is the length."""
    content = request.messages[-1]["content"]
    if content == "poison":
        return 0, True, ""
    length, _, tool = content.partition(" ") if request.messages[-1]["role"] == "user" else (content, "", "")
    return int(length) if length.isdigit() else 2, False, tool


def line_of(tool: str) -> str:
    return f'{{"name": "{tool}", "arguments": {{}}}}\n'


class Died(Exception):
    """The process of this worker is gone."""


class StepEngine:
    slug, name, fingerprint, context, slots = "scripted", "steps", "steps-1", 8192, SLOTS
    steps, busy, back_end, problem = 0, False, "steps", ""

    def __init__(self, resume: Resume) -> None:
        self.capabilities = Capabilities(resume)
        self.answers: dict[str, tuple[GenerationRequest, int]] = {}
        self.events: list[Any] = []

    def submit(
        self, request: GenerationRequest, emitted: Sequence[int], *, logged: Sequence[Piece] = ()
    ) -> None:
        assert list(emitted) == list(range(len(emitted)))
        assert not emitted or self.capabilities.resume is not Resume.RESTART
        if emitted and self.capabilities.resume is Resume.PREFIX:
            assert kind_of(request.seed, len(emitted) - 1) is Kind.TEXT
        self.answers[request.generation_id] = (request, len(emitted))

    def cancel(self, generation_id: str) -> None:
        if generation_id in self.answers:
            request, made = self.answers.pop(generation_id)
            self.events.append(Ended(generation_id, request.attempt, made, Reason.STOPPED, prompt_tokens=3))

    def drop(self, generation_id: str) -> None:
        self.answers.pop(generation_id, None)

    def step(self) -> list[Any]:
        """One token for every answer; the poisoned one kills the process, whatever else was in flight."""
        for generation_id, (request, made) in list(self.answers.items()):
            length, poisoned, tool = script(request)
            if poisoned:
                raise Died
            if made >= length + bool(tool):
                del self.answers[generation_id]
                reason = Reason.CALLS if tool else Reason.STOP
                self.events.append(Ended(generation_id, request.attempt, made, reason, prompt_tokens=3))
            elif made >= length:
                self.answers[generation_id] = (request, made + 1)
                piece = Piece(made, made + 1, line_of(tool), (made,), kind=Kind.CALL)
                self.events.append(Delta(generation_id, request.attempt, piece))
            else:
                self.answers[generation_id] = (request, made + 1)
                text, kind = token(request.seed, made, request.run), kind_of(request.seed, made)
                piece = Piece(made, made + 1, text, (made,), kind=kind)
                self.events.append(Delta(generation_id, request.attempt, piece))
        events, self.events = self.events, []
        return events

    def metrics(self) -> dict[str, int]:
        return {}

    def start(self, emit: Any) -> None: ...

    def stop(self) -> None: ...


class Broker:
    """Celery's messages as a list that tests deliver, repeat or lose."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, list[Any]]] = []

    def publish(self, task: str, args: list[Any]) -> None:
        self.messages.append((task, args))


class Worker:
    """A model worker's real Runtime around a StepEngine; `awake` False is SIGSTOP."""

    def __init__(self, broker: Broker, resume: Resume = Resume.EXACT) -> None:
        self.engine = StepEngine(resume)
        self.runtime = Runtime(self.engine, broker.publish, wake=lambda: None)  # type: ignore[arg-type]
        self.awake = True
        self.beat()

    @property
    def name(self) -> str:
        return self.runtime.name

    def beat(self) -> None:
        self.runtime._beat()

    def claim(self) -> bool:
        """Runs a ticket in a free slot. Returns whether it claimed anything."""
        if len(self.runtime.writer.running()) >= SLOTS:
            return False
        held = self.runtime.claim()
        if held and held is not True:
            self.runtime.begin(held)
        return bool(held)

    def step(self) -> None:
        events = self.engine.step()
        if events:
            self.runtime.writer.take(events)

    def tick(self, *, renew: bool) -> None:
        self.runtime.writer.tick(renew=renew)

    def describe(self) -> list[str]:
        """For a failing walk: what this worker believes to hold."""
        return [
            f"{key[:8]} attempt {held.request.attempt} {held.stage.name} sent {held.sent} of {held.seq} "
            f"stop {held.stop_seen} in engine {key in self.engine.answers} {held.ended}"
            for key, held in self.runtime.writer._held.items()
        ]

    def hand_over(self) -> None:
        self.runtime.writer.hand_over()


def snapshot(client: redis.Redis) -> dict[bytes, tuple[bytes, int]]:
    """All of Redis as bytes: what a restart that lost the last second comes back with."""
    kept = {}
    for key in client.keys("*"):
        raw, ttl = client.dump(key), client.pttl(key)
        if raw is None or ttl == -2:
            continue  # it ran out at this very moment: kept with no time left, it would stay for ever
        kept[key] = (raw, 0 if ttl == -1 else max(ttl, 1))
    return kept


def restore(client: redis.Redis, kept: dict[bytes, tuple[bytes, int]]) -> None:
    client.flushdb()
    for key, (raw, ttl) in kept.items():
        client.restore(key, ttl, raw)


def expire_leases(client: redis.Redis, awake: Sequence[Worker]) -> set[str]:
    """Lets time pass: a lease that no worker renews runs out. Returns the workers of those leases.

    A worker that is awake renews what it holds, nothing else. After Redis came back with older data there
    may be a lease of a reply that its worker has handed over or ended.
    """
    renewed = {(worker.name, reply) for worker in awake for reply in worker.runtime.writer._held}
    expired = set()
    for key in client.keys(scripts.key("lease", "*")):
        name, reply = client.get(key), key.rpartition(":")[2]
        if name is not None and (name, reply) not in renewed:
            client.delete(key)
            expired.add(name)
    return expired


def leftovers(client: redis.Redis) -> list[str]:
    """Keys that must be gone when nobody waits or runs."""
    found = []
    for pattern in (
        "q:*:of:*",
        "q:*:waiting",
        "q:*:front",
        "q:*:suspects",
        "q:*:run",
        "q:*:since",
    ):
        found += client.keys(scripts.key(pattern))
    return found + client.keys(scripts.key("q", "*", "ids")) + client.keys(scripts.key("lease", "*"))


def expected_text(seed: int, length: int, kind: Kind = Kind.TEXT, run: int = 0) -> str:
    return "".join(token(seed, index, run) for index in range(length) if kind_of(seed, index) is kind)


def as_uuid(args: list[Any]) -> UUID:
    return UUID(args[0])
