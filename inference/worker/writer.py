"""Appends the engine's pieces to the token logs, in order and once, whatever happens to Redis meanwhile.

One Writer a model worker. The engine thread hands events in (`take`); everything else happens in `tick`,
which one thread calls (inference/worker/runtime.py), or a test, step by step. The rules are in
docs/live-path.md.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import redis

from inference.contract import (
    FINISH_TASK,
    RETURNED_TASK,
    Delta,
    Event,
    GenerationRequest,
    GivenBack,
)
from inference.wire import lease, log, scripts
from inference.wire import queue as fair_queue
from inference.wire.log import Log
from inference.worker.held import Held, Stage

logger = logging.getLogger("grokweb.writer")

WITH_ENGINE = (Stage.RUNNING, Stage.RETURNING)  # stages in which the reply has no end yet
OPEN = (*WITH_ENGINE, Stage.ENDING)  # stages in which the log may lack pieces


class Writer:
    """Writes the logs of all replies of one worker.

    `publish(task, args)` sends a Celery message; `cancel` and `drop` are the engine's.
    """

    def __init__(
        self,
        client: redis.Redis,
        worker: str,
        *,
        publish: Callable[[str, list[Any]], None],
        cancel: Callable[[str], None],
        drop: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self.worker = worker
        self._publish = publish
        self._cancel = cancel
        self._drop = drop
        self._clock = clock
        self._events: queue.SimpleQueue[tuple[float, list[Event]]] = queue.SimpleQueue()
        self._held: dict[str, Held] = {}
        self._lock = threading.RLock()  # slots hold and release while the writer's thread ticks
        self._returned: list[str] = []
        self.wake = threading.Event()
        self.urgent = False  # a first token or an end is waiting: do not collect any longer

    # --- from the slots and the engine --------------------------------------------------------------------

    def hold(self, request: GenerationRequest, logged: Log) -> Held:
        """Takes over a claimed reply with the log of earlier attempts.

        Redis with older data may hand out a reply that this worker holds or has finished at the same attempt:
        then our copy stays, and is written again as far as Redis lacks it.
        """
        with self._lock:
            held = self._held.get(request.generation_id)
            if held is not None and held.request.attempt == request.attempt:
                held.sent = 0
                if held.stage not in WITH_ENGINE:
                    held.stage = Stage.ENDING
                return held
            if held is not None:
                self._replace_older(held)
            held = self._held[request.generation_id] = Held(
                request, list(logged.pieces), logged.seq, entries=len(logged.pieces)
            )
            return held

    def _replace_older(self, held: Held) -> None:
        """Replaces an older attempt, where this worker woke and claimed a newer one before a tick noticed.

        The engine drops the older attempt when it gets the newer; its slot is free, and the strike is
        taken back.
        """
        if held.stage is Stage.RUNNING:
            self._returned.append(held.request.generation_id)
        self._forget(held)

    def take(self, events: list[Event]) -> None:
        """Accepts the events of one step from the engine's thread; never blocks."""
        self._events.put((self._clock(), events))
        if any(not isinstance(e, Delta) or e.piece.after == 0 for e in events):
            self.urgent = True
        self.wake.set()

    def running(self) -> list[Held]:
        with self._lock:
            return [held for held in self._held.values() if held.stage is Stage.RUNNING]

    def suspects(self) -> int:
        return sum(held.request.strikes > 0 for held in self.running())

    @property
    def idle(self) -> bool:
        """Returns whether nothing is held or left to publish, so that the process may end without loss."""
        with self._lock:
            return not self._held and not self._returned

    # --- one cycle ----------------------------------------------------------------------------------------

    def tick(self, *, renew: bool) -> None:
        """Drains the engine's events, appends, finishes, publishes; with `renew` also renews the leases.

        Raises redis.RedisError or a broker's OperationalError: nothing is lost, the next tick continues.
        """
        with self._lock:
            self._drain()
            for _ in range(64):  # one piece a reply each time; the bound only prevents an endless loop
                if not self._append():
                    break
            self._finish()
            self._give_back()
            if renew:
                self._renew()
            self._publish_ends()

    def hand_over(self) -> None:
        """Appends all pieces and returns unfinished replies to the head of the queue (rule 11)."""
        with self._lock:
            for held in self.running():
                self._drop(held.request.generation_id)
            self.tick(renew=False)
            for held in self.running():
                fair_queue.release(self.client, held.request.generation_id, held.request.attempt, self.worker)
                self._forget(held)

    def _drain(self) -> None:
        self.urgent = False
        while True:
            try:
                at, events = self._events.get_nowait()
            except queue.Empty:
                return
            for event in events:
                self._note(event, at)

    def _note(self, event: Event, at: float) -> None:
        held = self._held.get(event.generation_id)
        if held is None or held.request.attempt != event.attempt or held.stage is not Stage.RUNNING:
            return  # fenced off or handed over meanwhile
        if isinstance(event, Delta):
            held.add(event.piece, at)
        elif isinstance(event, GivenBack):
            held.stage = Stage.RETURNING
            held.done.set()
        else:
            held.ended = event
            held.stage = Stage.ENDING
            held.done.set()

    def _append(self) -> bool:
        """Appends one piece of every reply, in one call; returns whether more is to be sent."""
        batch = []
        for held in self._held.values():
            piece = held.unsent() if held.stage in OPEN else None
            if piece is not None:
                batch.append((held, piece))
        additions = [(held.request.generation_id, held.request.attempt, piece) for held, piece in batch]
        answers = log.append_all(self.client, self.worker, additions)
        for (held, piece), (code, last, stop) in zip(batch, answers, strict=True):
            if code in ("appended", "already_there"):
                held.sent = piece.seq
                held.note_logged(piece.seq)
            elif code == "gap":
                self._go_back(held, last)
            else:
                self._refused(held, code)
            if stop:
                self._stop(held)
        return any(held.sent < held.seq and held.stage in OPEN for held in self._held.values())

    def _finish(self) -> None:
        ready = [
            held
            for held in self._held.values()
            if held.stage is Stage.ENDING and held.ended is not None and held.sent >= held.ended.seq
        ]
        calls = []
        for held in ready:
            assert held.ended is not None
            calls.append(
                log.finish_call(
                    held.request.generation_id,
                    held.request.attempt,
                    self.worker,
                    held.ended.seq,
                    held.ended.reason,
                    held.body(),
                )
            )
        for held, (code, last) in zip(ready, scripts.run_all(self.client, calls), strict=True):
            if code in ("appended", "already_there"):
                held.stage = Stage.ENDED
                self._log_ended(held)
            elif code == "gap":
                self._go_back(held, last)
            else:
                self._refused(held, code)

    def _give_back(self) -> None:
        """Puts replies that the engine gave back at the head of the queue, without a strike.

        Where no worker can continue their logs, reconcile starts them again.
        """
        for held in [each for each in self._held.values() if each.stage is Stage.RETURNING]:
            if held.sent >= held.seq:
                asked = held.request
                fair_queue.release(self.client, asked.generation_id, asked.attempt, self.worker)
                about = {**held.about, "worker": self.worker, "tokens": held.seq}
                logger.info("reply given back", extra=about)
                self._forget(held)

    def _log_ended(self, held: Held) -> None:
        ended = held.ended
        assert ended is not None
        metrics = {
            "reason": str(ended.reason),
            "error": ended.error,  # a code or a rule's id
            "prompt_tokens": ended.prompt_tokens,
            "tokens": ended.seq,
            "prefill_ms": ended.prefill_ms,
            "decode_ms": ended.decode_ms,
        }
        logger.info("reply ended", extra={**held.about, "worker": self.worker, **metrics})

    def _renew(self) -> None:
        everything = list(self._held.values())
        pairs = [(held.request.generation_id, held.request.attempt) for held in everything]
        for held, renewal in zip(everything, lease.renew(self.client, self.worker, pairs), strict=True):
            if renewal.code != "ok":
                self._refused(held, renewal.code)
            elif renewal.settled:
                self._forget(held)
            elif held.stage in (Stage.ENDED, Stage.PUBLISHED) and not renewal.ended:
                held.stage, held.sent = Stage.ENDING, 0  # Redis came back with older data: finish again
            elif renewal.stop:
                self._stop(held)

    def _publish_ends(self) -> None:
        for held in list(self._held.values()):
            if held.stage is Stage.ENDED:
                self._publish(FINISH_TASK, [held.request.generation_id, held.request.attempt])
                held.stage = Stage.PUBLISHED
        if self._returned:
            self._publish(RETURNED_TASK, [self.worker, list(self._returned)])
            self._returned.clear()

    def _refused(self, held: Held, code: str) -> None:
        """Handles a refused write. `missing`: registers a reply that Redis lost; `stale`: gives it up."""
        asked = held.request
        if code == "missing":
            answer, last = lease.register(self.client, self.worker, held.request)
            if answer == "ok":
                self._go_back(held, last)
                if held.stage not in WITH_ENGINE:
                    held.stage = Stage.ENDING
                logger.warning("entered again after data loss: %s", asked.generation_id, extra=held.about)
                return
            if answer == "ended":
                self._drop(held.request.generation_id)
                held.stage = Stage.ENDED
                held.done.set()
                return
        if held.stage is Stage.RUNNING:
            self._drop(asked.generation_id)
            self._returned.append(asked.generation_id)
            logger.warning("fenced off: %s attempt %d", asked.generation_id, asked.attempt, extra=held.about)
        self._forget(held)

    def _go_back(self, held: Held, last: int) -> None:
        """Sends again from `last`, where Redis' log ends, or all of it if our pieces have other borders."""
        if last in {0, held.seq} or any(piece.after == last for piece in held.pieces):
            held.sent = last
            held.note_logged(last)  # an append whose answer was lost
        else:
            log.rewrite(self.client, held.request.generation_id, held.request.attempt, self.worker)
            held.sent = 0

    def _stop(self, held: Held) -> None:
        if not held.stop_seen and held.stage is Stage.RUNNING:
            held.stop_seen = True
            self._cancel(held.request.generation_id)

    def _forget(self, held: Held) -> None:
        self._held.pop(held.request.generation_id, None)
        held.done.set()
