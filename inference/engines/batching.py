"""Runs a Scheduler in a thread, for all engines that run a model inside this process."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence

from inference.base import exit_status
from inference.contract import Capabilities, GenerationRequest, Piece
from inference.core.scheduler import Scheduler
from inference.engines.base import Emit
from inference.text.thought_marks import Thinker

log = logging.getLogger(__name__)

LAST_EVENTS_SECONDS = 1.0  # for the writer thread, between a failed engine's last events and the process' end


class BatchingEngine:
    """Continuous batching in one thread. See base.Engine for the methods."""

    problem = ""  # it ends its process when it cannot continue

    def __init__(
        self,
        scheduler: Scheduler,
        *,
        slug: str,
        name: str,
        context: int,
        thinker: Thinker | None = None,
        exit: Callable[[int], object] = os._exit,
    ) -> None:
        """`exit` ends the process when the engine cannot continue; tests replace it."""
        self.capabilities = Capabilities(
            reasoning=thinker is not None,
            efforts=thinker.efforts if thinker else (),
            logprobs=True,
            prefix_cache=True,
        )
        self.slug = slug
        self.name = name
        self.fingerprint = scheduler.fingerprint
        self.context = context
        self.slots = scheduler.slots
        self._scheduler = scheduler
        self._exit = exit
        self._thread: threading.Thread | None = None

    @property
    def steps(self) -> int:
        return self._scheduler.steps

    @property
    def busy(self) -> bool:
        return self._scheduler.busy

    def metrics(self) -> dict[str, int]:
        return self._scheduler.metrics()

    def start(self, emit: Emit) -> None:
        if self._thread:
            raise RuntimeError("this engine was started before")
        self._thread = threading.Thread(
            target=self._run, args=(emit,), name=f"engine-{self.slug}", daemon=True
        )
        self._thread.start()

    def submit(
        self, request: GenerationRequest, emitted: Sequence[int], *, logged: Sequence[Piece] = ()
    ) -> None:
        self._scheduler.submit(request, emitted)

    def cancel(self, generation_id: str) -> None:
        self._scheduler.cancel(generation_id)

    def drop(self, generation_id: str) -> None:
        self._scheduler.drop(generation_id)

    def stop(self) -> None:
        self._scheduler.inbox.close()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join(timeout=30)

    def prepare_thread(self) -> None:
        """Called once in the engine's thread, before the first step."""

    def _run(self, emit: Emit) -> None:
        try:
            self.prepare_thread()
            self._serve(emit)
        except Exception:
            log.exception("the engine's loop failed: this process ends")
            self._give_up()

    def _serve(self, emit: Emit) -> None:
        scheduler = self._scheduler
        while not scheduler.inbox.closed:
            events = scheduler.turn()
            if events:
                emit(events)
            if scheduler.has_failed:
                log.critical("%d engine steps failed in a row: this process ends", scheduler.failures)
                self._give_up()
                return
            if not scheduler.can_step:
                scheduler.inbox.wait()

    def _give_up(self) -> None:
        time.sleep(LAST_EVENTS_SECONDS)
        self._exit(exit_status.ENGINE_FAILED)
