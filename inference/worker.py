"""A model worker: one process, one engine, one model. No database, no Django.

    celery -A inference.worker worker -Q model.<slug> --pool threads --concurrency <slots>

Threads: Celery's slots claim and wait, the engine's thread makes tokens, one writer thread brings them to
Redis, renews leases and watches the engine. Exit codes: 78 the model cannot be used (one line says why), 70
the engine hangs or failed again and again (the supervisor starts a new process).
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
from celery import Celery, signals
from kombu.exceptions import OperationalError

from grokweb.logs import catch_what_python_prints, celery_level, line_formatter
from inference import log, modelfiles, scripts, settings
from inference import queue as fair_queue
from inference.broker import COMMON
from inference.contract import CHAT_QUEUE, FINISH_TASK, SERVE_TASK, Event, model_queue
from inference.engines import load_engine
from inference.engines.base import Engine
from inference.figures import Recent
from inference.titles import Titles
from inference.writer import Held, Writer

logger = logging.getLogger("grokweb.worker")

EX_CONFIG, EX_SOFTWARE = 78, 70
COLLECT_SECONDS = 0.04  # rule 3: pieces of at most 40 ms
POLL_SECONDS = min(settings.RENEW_SECONDS, 0.25)  # stop flags of replies that make no tokens yet

app = Celery("grokweb-model", broker=settings.REDIS_URL)
app.conf.update(COMMON, include=["inference.tasks"], task_default_queue="model")


class Runtime:
    """The one engine of this process and what surrounds it."""

    def __init__(self, engine: Engine, publish: Callable[[str, list[Any]], None]) -> None:
        self.engine = engine
        self._publish = publish
        self._card = card(engine)
        self._recent = Recent()
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
        """One slot: claims until nobody waits. Tickets are wake-ups and nothing else (rule 6)."""
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
        """A slot that has just become free may make a title, if nobody wants it for a reply."""
        if not (held.request.title and self._card["titles"]) or self.stopping.is_set():
            return
        free = len(self.writer.running()) < self.engine.slots
        if free and not fair_queue.waiting(self.client, self.engine.slug):
            self.titles.offer(held)

    def claim(self) -> Held | bool:
        """The next reply for a free slot; False if nobody waits. True: one was stopped before its turn."""
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
        """Gives a claimed reply to the engine, which goes on after what earlier attempts logged."""
        if held.begun:
            return
        held.begun = True
        self.titles.give_way()
        about = {**held.about, "worker": self.name, "resumed_at": held.seq}
        logger.info("reply begun", extra=about)
        self.engine.submit(held.request, [i for piece in held.pieces for i in piece.ids])

    def _take(self, events: list[Event]) -> None:
        """From the engine thread: what belongs to replies goes to the writer."""
        events = self.titles.take(events)
        if events:
            self.writer.take(events)

    def _write(self) -> None:
        """The writer's thread: at once for a first token, else every 40 ms; leases and heartbeat too."""
        polled = flushed = beat = moved = time.monotonic()
        steps = self.engine.steps
        while not self._closed.is_set():
            self.writer.wake.wait(POLL_SECONDS)
            self.writer.wake.clear()
            rest = flushed + COLLECT_SECONDS - time.monotonic()
            if rest > 0 and not self.writer.urgent:
                time.sleep(rest)
            now = time.monotonic()
            if now - flushed > 2.0 or not self.engine.busy or self.engine.steps != steps:
                # Moved, idle, or this whole process slept (SIGSTOP, a closed lid): its time begins anew.
                moved, steps = now, self.engine.steps
            if now - moved > settings.HANG_SECONDS:
                logger.critical("the engine made no step for %.0f s: this process ends", now - moved)
                os._exit(EX_SOFTWARE)
            flushed = now
            try:
                due = now - polled >= POLL_SECONDS
                self.writer.tick(renew=due)
                self.titles.tell()
                if due:
                    polled = now
                if now - beat >= settings.RENEW_SECONDS:
                    self._beat()
                    beat = now
            except (redis.RedisError, OperationalError) as error:
                logger.warning("redis: %s; tokens are kept and sent again", error)
                time.sleep(0.2)
            except Exception:
                # The writer must outlive any mistake: tokens are kept, leases run out, others take over.
                logger.exception("writer")
                time.sleep(0.5)

    def _beat(self) -> None:
        """Said again with every beat: Redis may have lost it."""
        figures = self.engine.figures()
        fair_queue.announce_model(self.client, self.engine.slug, **self._card)
        fair_queue.beat(
            self.client,
            self.engine.slug,
            self.name,
            slots=0 if self.stopping.is_set() else self.engine.slots,
            busy=len(self.writer.running()),
            back_end=self.engine.back_end,
            fingerprint=self.engine.fingerprint,
            figures={**figures, **self._recent.add(time.monotonic(), figures)},
        )

    def _invite(self) -> None:
        """Work may wait from before this start, its tickets lost: one ticket a slot."""
        for _ in range(min(self.engine.slots, len(fair_queue.waiting(self.client, self.engine.slug)))):
            self._wake()

    def _wake(self) -> None:
        """A ticket, for whichever worker of this model is free to take it."""
        app.send_task(SERVE_TASK, queue=model_queue(self.engine.slug), expires=60)

    def close(self) -> None:
        """Ends the engine's and the writer's threads; what they hold is left to leases and reconcile."""
        self._closed.set()
        self.writer.wake.set()
        self.engine.stop()

    def begin_stop(self) -> None:
        """SIGTERM: claim no more; hand over what is unfinished after GROKWEB_HANDOVER_SECONDS (rule 11)."""
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


def _engine_of_settings() -> Engine:
    return load_engine(
        settings.MODEL, slots=settings.SLOTS, threads=settings.THREADS, kept_bytes=settings.CACHE_MB * 2**20
    )


make_engine: Callable[[], Engine] = (
    _engine_of_settings  # worker_ranks.py puts one over several processes here
)
_runtime: Runtime | None = None


def runtime() -> Runtime:
    if _runtime is None:
        raise RuntimeError("this is not a model worker")
    return _runtime


def publish(task: str, args: list[Any]) -> None:
    app.send_task(task, args=args, queue=CHAT_QUEUE, retry=False)


def card(engine: Engine) -> dict[str, str | int]:
    """What the chat side should know of this model (chat/conversations: ModelCard)."""
    files = None if settings.MODEL == "scripted" else modelfiles.describe(Path(settings.MODEL))
    return {
        "name": engine.name,
        "context": engine.context,
        "is_demo": int(files is not None and files.is_demo),
        "about": files.about if files is not None else "",
        "titles": int(settings.TITLES and (files is None or files.titles)),
    }


@signals.setup_logging.connect
def log_to_stderr(**_: Any) -> None:
    """Instead of Celery's own setup, which would set the root logger to Celery's level."""
    handler = logging.StreamHandler()
    handler.setFormatter(line_formatter(settings.LOG_FORMAT))
    logging.basicConfig(level=settings.LOG_LEVEL, handlers=[handler])
    logging.getLogger("celery").setLevel(celery_level(settings.LOG_LEVEL))
    catch_what_python_prints()


@signals.worker_init.connect
def _load(**_: Any) -> None:
    global _runtime
    log_to_stderr()
    try:
        engine = make_engine()
    except ValueError as error:  # ModelUnusable is one: a person can act on its line
        print(f"model: {error}", file=sys.stderr, flush=True)  # noqa: T201
        os._exit(EX_CONFIG)
    except Exception:
        # A Celery signal swallows exceptions; a worker without an engine must not look alive.
        logger.exception("the engine did not start")
        os._exit(EX_SOFTWARE)
    _runtime = Runtime(engine, publish)


@signals.worker_ready.connect
def _start(**_: Any) -> None:
    runtime().start()


@signals.worker_shutting_down.connect
def _stop(**_: Any) -> None:
    runtime().begin_stop()


@signals.worker_shutdown.connect
def _leave(**_: Any) -> None:
    """After the slots have ended: what is finished but not yet told is told."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and not runtime().writer.idle:
        time.sleep(0.02)
    runtime().close()
