"""The runtime of a model worker: connects its engine with the queue, the writer and titles. No Celery.

Threads: Celery's slots claim and wait, the engine's thread makes tokens, one writer thread brings them to
Redis, renews leases and watches the engine.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import socket
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import redis
from kombu.exceptions import OperationalError

from inference import settings
from inference.base import exit_status
from inference.contract import FINISH_TASK, Event
from inference.engines import describe_model
from inference.engines.base import Engine
from inference.wire import log, scripts
from inference.wire import queue as fair_queue
from inference.wire.metrics import Recent
from inference.worker.hang import HangWatch
from inference.worker.held import Held
from inference.worker.periodic import PeriodicJobs
from inference.worker.titles import Titles
from inference.worker.writer import Writer

logger = logging.getLogger("grokweb.worker")

COLLECT_SECONDS = 0.04  # rule 3: pieces of at most 40 ms
POLL_SECONDS = min(settings.RENEW_SECONDS, 0.25)  # stop flags of replies that make no tokens yet
APPEND = "append"  # the job that a first token or an end hastens


class Runtime:
    """Connects the one engine of this process with the queue, the writer and titles."""

    def __init__(
        self, engine: Engine, publish: Callable[[str, list[Any]], None], wake: Callable[[], None]
    ) -> None:
        """`publish` sends a task to the chat side; `wake` sends a ticket to a free worker of this model."""
        self.engine = engine
        self._publish = publish
        self._wake = wake
        self._card = card(engine)
        self._recent = Recent()
        self._had_problem = False
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.client = scripts.connect()
        self.writer = Writer(
            scripts.connect(), self.name, publish=publish, cancel=engine.cancel, drop=engine.drop
        )
        self.titles = Titles(self.client, engine, publish)
        self.stopping = threading.Event()
        self._closed = threading.Event()
        self._claiming = threading.Lock()  # a suspect must be seen by the next claim (rule 8)

    def start(self) -> None:
        self.engine.start(self._take)
        threading.Thread(target=self._write, name="writer", daemon=True).start()
        self._beat()
        self._invite()

    def serve(self) -> None:
        """Serves one slot: claims until nobody waits. Tickets are mere wake-ups (rule 6)."""
        while not self.stopping.is_set():
            try:
                if not self._serve_one():
                    return
            except (redis.RedisError, OperationalError) as error:
                logger.warning("redis: %s; the ticket is dropped, reconcile sends another", error)
                return

    def _serve_one(self) -> bool:
        held = self.claim()
        if isinstance(held, Held):
            self.begin(held)
            held.done.wait()
            self._offer_title(held)
        return bool(held)

    def _offer_title(self, held: Held) -> None:
        """Offers a slot that has just become free for a title, unless a reply waits for it."""
        if not (held.request.title and self._card["titles"]) or self.stopping.is_set():
            return
        free = len(self.writer.running()) < self.engine.slots
        if free and not fair_queue.waiting(self.client, self.engine.slug):
            self.titles.offer(held)

    def claim(self) -> Held | bool:
        """Claims the next reply for a free slot. False: nobody waits. True: it was stopped while waiting."""
        if self.engine.problem:
            return False  # replies wait, until _beat finds that the engine is well again
        with self._claiming:
            claim = fair_queue.claim(
                self.client, self.engine.slug, self.name, suspects=self.writer.suspects() == 0
            )
            if claim is None:
                return False
            if claim != "elsewhere" and claim.request is not None:
                return self.writer.hold(claim.request, log.read(self.client, claim.generation_id))
        if claim == "elsewhere":
            self._wake()
            return False
        self._publish(FINISH_TASK, [claim.generation_id, claim.attempt])
        return True

    def begin(self, held: Held) -> None:
        """Gives a claimed reply to the engine, which continues after the tokens of earlier attempts."""
        if held.begun:
            return
        held.begun = True
        self.titles.give_way()
        about = {**held.about, "worker": self.name, "resumed_at": held.seq}
        logger.info("reply begun", extra=about)
        ids = [i for piece in held.pieces for i in piece.ids]
        self.engine.submit(held.request, ids, logged=held.pieces)

    def _take(self, events: list[Event]) -> None:
        """Receives the engine thread's events; passes those of replies on to the writer."""
        events = self.titles.take(events)
        if events:
            self.writer.take(events)

    def _jobs(self) -> PeriodicJobs:
        """Returns what the writer's thread does, in this order; only renewing wakes it."""
        jobs = PeriodicJobs()
        jobs.add("watch", 0, self._end_if_hung(HangWatch(self.engine.steps)), wakes=False)
        jobs.add("renew", POLL_SECONDS, lambda: self.writer.tick(renew=True))
        jobs.add(APPEND, COLLECT_SECONDS, lambda: self.writer.tick(renew=False), wakes=False)
        jobs.add("titles", 0, self.titles.publish, wakes=False)
        jobs.add("heartbeat", settings.RENEW_SECONDS, self._beat, wakes=False)
        return jobs

    def _write(self) -> None:
        """Runs the jobs of the writer's thread: at once for a first token or an end, else every 40 ms."""
        jobs = self._jobs()
        while not self._closed.is_set():
            self.writer.wake.wait(jobs.seconds_until_next())
            self.writer.wake.clear()
            if self.writer.urgent:
                jobs.hasten(APPEND)
            else:
                time.sleep(jobs.seconds_until(APPEND))
            try:
                jobs.run_due()
            except (redis.RedisError, OperationalError) as error:
                logger.warning("redis: %s; tokens are kept and sent again", error)
                time.sleep(0.2)
            except Exception:
                # The writer must outlive any mistake: tokens are kept, leases run out, others take over.
                logger.exception("writer")
                time.sleep(0.5)

    def _end_if_hung(self, watch: HangWatch) -> Callable[[], None]:
        def check() -> None:
            still = watch.seconds_without_step(steps=self.engine.steps, busy=self.engine.busy)
            if still > settings.HANG_SECONDS:
                logger.critical("the engine made no step for %.0f s: this process ends", still)
                os._exit(exit_status.ENGINE_FAILED)

        return check

    def _beat(self) -> None:
        """Announces model and worker. Repeated with every heartbeat, as Redis may lose it."""
        metrics, problem = self.engine.metrics(), self.engine.problem
        self._card["context"] = self.engine.context
        self._card["capabilities"] = self.engine.capabilities.to_json()
        fair_queue.beat(
            self.client,
            self.engine.slug,
            self.name,
            slots=0 if self.stopping.is_set() or problem else self.engine.slots,
            busy=len(self.writer.running()),
            back_end=self.engine.back_end,
            fingerprint=self.engine.fingerprint,
            metrics={**metrics, **self._recent.add(time.monotonic(), metrics)},
            problem=problem,
            resume=self.engine.capabilities.resume,
        )
        # After the heartbeat: an announced model without a worker may be one that was removed.
        fair_queue.announce_model(self.client, self.engine.slug, host=platform.node(), **self._card)
        if self._had_problem and not problem:
            self._invite()
        self._had_problem = bool(problem)

    def _invite(self) -> None:
        """Sends one ticket per slot for replies that waited before this start and whose tickets are lost."""
        for _ in range(min(self.engine.slots, len(fair_queue.waiting(self.client, self.engine.slug)))):
            self._wake()

    def close(self) -> None:
        """Ends the threads of engine and writer; reconcile recovers what they hold once the leases expire."""
        self._closed.set()
        self.writer.wake.set()
        self.engine.stop()

    def begin_stop(self) -> None:
        """Stops claiming; hands unfinished replies over after GROKWEB_HANDOVER_SECONDS (rule 11)."""
        if self.stopping.is_set():
            return
        self.stopping.set()
        self.titles.give_way()
        threading.Thread(target=self._hand_over, name="hand-over", daemon=True).start()

    def _hand_over(self) -> None:
        deadline = time.monotonic() + settings.HANDOVER_SECONDS
        while self.writer.running() and time.monotonic() < deadline:
            time.sleep(0.05)
        for _ in range(10):
            try:
                self.writer.hand_over()
                self._invite()
                fair_queue.leave(self.client, self.engine.slug, self.name)
                return
            except (redis.RedisError, OperationalError) as error:
                logger.warning("hand-over: %s; again", error)
                time.sleep(0.3)


def card(engine: Engine) -> dict[str, str | int]:
    """Returns the facts that the chat side stores of this model (chat/model_cards: ModelCard)."""
    about = describe_model(settings.MODEL)
    return {
        "name": engine.name,
        "context": engine.context,
        "longest": about.context or engine.context,
        "is_demo": int(about.is_demo),
        "about": about.about,
        "sampling": json.dumps(dict(about.sampling)),
        "licence": json.dumps(dict(about.licence)),
        "titles": int(settings.TITLES and about.titles),
        "capabilities": engine.capabilities.to_json(),
    }
