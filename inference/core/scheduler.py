"""Continuous batching: feeds the planned tokens to the model and turns its logits into events.

`Scheduler.turn()` is the body of the engine thread's loop: drain the inbox, admit to free rows, plan one
ragged batch of at most `prefill_chunk` prompt tokens and every decoding row, run it, choose tokens, make
text, return the events. It knows neither threads nor torch; submit, cancel and drop may be called from any
thread, everything else from one.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inference.contract import Delta, Ended, ErrorCode, Event, GenerationRequest, Reason, Score
from inference.core.feeding import Plan, Step, choose_tokens, feed, is_out_of_memory
from inference.core.inbox import Cancel, Drop, Inbox
from inference.core.kv_rows import Rows
from inference.core.plan import plan_step
from inference.core.sampling import usable
from inference.core.work import Tokenizer, Work, prepare
from inference.text.detokenize import TextStream
from inference.text.kind_stream import KindStream
from inference.text.prompt import TooLong

log = logging.getLogger(__name__)

# A model that fails this often in a row will not recover inside this process.
FAILURES_LIMIT = 3
# After so many failed steps a request is given up even if it does not fail alone: then the number of requests
# causes the failure, not one of them.
SHARED_FAILURES_LIMIT = 3


@dataclass(frozen=True, slots=True)
class Submit:
    """Commands the engine to answer a request."""

    work: Work

    @property
    def generation_id(self) -> str:
        return self.work.request.generation_id


class Scheduler:
    """Runs all generations of one engine. Each submitted request gets exactly one Ended, unless dropped."""

    def __init__(
        self,
        make_step: Callable[[], Step],
        tokenizer: Tokenizer,
        *,
        slots: int,
        context: int,
        vocab_size: int,
        fingerprint: str,
        prefill_chunk: int = 256,
        rows: int = 0,
    ) -> None:
        """`make_step` returns a step with an empty cache, again after a failed one. Sizes in tokens.

        `rows`: of the cache, `slots` or more; those beyond `slots` only cache beginnings of conversations.
        """
        self.inbox: Inbox[Submit | Cancel | Drop] = Inbox()
        self.steps = 0
        self.failures = 0  # steps of one request that failed in a row
        self._make_step = make_step
        self._step: Step | None = None
        self._tokenizer = tokenizer
        self._context = context
        self._vocab_size = vocab_size
        self.fingerprint = fingerprint
        self.slots = slots
        self._prefill_chunk = max(prefill_chunk, slots)
        self._never: NDArray[np.int64] = np.array(sorted(tokenizer.never_sample), dtype=np.int64)
        self._rows = Rows(max(rows, slots))
        self._waiting: deque[Work] = deque()
        self._running: list[Work] = []
        self._events: list[Event] = []
        self._counted: Counter[str] = Counter(steps=0, rows=0, tokens=0, prompt_computed=0, prompt_reused=0)

    # From any thread --------------------------------------------------------------------------------------

    def submit(self, request: GenerationRequest, emitted: Sequence[int]) -> None:
        """Queues a request. Its prompt is made here, in the caller's thread, as that may take a while."""
        work = Work(request, tuple(emitted))
        self.inbox.put(Submit(work))  # first, so that a cancel or drop that follows finds it
        try:
            prepare(work, self._tokenizer, context=self._context, vocab_size=self._vocab_size)
        except TooLong:
            work.problem = ErrorCode.TOO_LONG
        except Exception:
            log.exception("generation %s could not be prepared", request.generation_id)
            work.problem = ErrorCode.ENGINE
        work.ready = True
        self.inbox.wake()

    def cancel(self, generation_id: str) -> None:
        self.inbox.put(Cancel(generation_id))

    def drop(self, generation_id: str) -> None:
        self.inbox.put(Drop(generation_id))

    @property
    def busy(self) -> bool:
        return bool(self._running or self._waiting or self.inbox)

    def metrics(self) -> dict[str, int]:
        """Returns the metrics of base.Engine. The cache is counted in tokens."""
        used = sum(work.fed for work in tuple(self._running)) + self._rows.cached_tokens
        return {**self._counted, "cache_used": used, "cache_size": self._rows.count * self._context}

    # From the engine's thread -----------------------------------------------------------------------------

    @property
    def can_step(self) -> bool:
        """Returns whether turn() would do something now; otherwise wait for the inbox."""
        return bool(self._running or self.inbox or any(work.ready for work in self._waiting))

    @property
    def has_failed(self) -> bool:
        """Returns whether so many steps failed in a row that the process should be replaced."""
        return self.failures >= FAILURES_LIMIT

    def turn(self) -> list[Event]:
        """Makes one step of the engine and returns its events, in order."""
        self._events = []
        for command in self.inbox.drain():
            self._obey(command)
        self._admit()
        plan = self._plan()
        if plan:
            self._run(plan)
        self.steps += 1
        return self._events

    def _obey(self, command: Submit | Cancel | Drop) -> None:
        for work in [*self._running, *self._waiting]:
            if work.request.generation_id == command.generation_id:
                if isinstance(command, Cancel):
                    self._end(work, Reason.STOPPED)
                else:  # dropped, or replaced by a newer attempt
                    self._forget(work)
        if isinstance(command, Submit):
            self._waiting.append(command.work)

    def _admit(self) -> None:
        """Gives free rows to waiting requests, oldest first; those that need none end here."""
        for work in [work for work in self._waiting if work.ready]:
            if work.problem:
                self._end(work, Reason.FAILED, work.problem)
            elif work.generated >= work.max_new:
                self._end(work, Reason.LENGTH)  # the earlier attempt died between its last token and its end
            elif len(self._running) < self.slots:
                self._waiting.remove(work)
                work.row, work.fed = self._rows.take(work.cache_key, work.tokens)
                self._counted["prompt_reused"] += min(work.fed, work.prompt_size)
                work.admitted_at = time.monotonic()
                self._running.append(work)

    def _plan(self) -> Plan:
        return plan_step(self._running, self._prefill_chunk)

    def _run(self, plan: Plan) -> None:
        """Feeds the planned tokens, accepts the chosen ones; a failure costs the cache and who caused it."""
        try:
            self._step = self._step or self._make_step()
            done, logits, prompt_tokens = feed(self._step, plan)
            self._counted.update(steps=1, rows=len(plan), prompt_computed=prompt_tokens)
            good = usable(logits) if done else np.zeros(0, np.bool_)
            fine = [i for i in range(len(done)) if good[i]]
            chosen, scored = choose_tokens(logits, [done[i] for i in fine], fine, self._never)
        except Exception as error:
            log.exception("engine step of %d failed (%d alone before it)", len(plan), self.failures)
            self._fail([work for work, _ in plan], error)
            return
        self.failures = 0
        for work in done:
            work.doubted = False
        for i, work in enumerate(done):
            if not good[i]:
                log.error("generation %s: logits are not finite", work.request.generation_id)
                self._end(work, Reason.FAILED, ErrorCode.NAN)
        for i, token, score in zip(fine, chosen, scored, strict=True):
            self._accept(done[i], token, score)
        if len(fine) < len(done):
            # NaN keys and values stay NaN behind a mask (0 * NaN), so they must not wait for the row's next
            # owner.
            self._renew_cache()

    def _accept(self, work: Work, token: int, score: Score | None) -> None:
        """Adds one chosen token to its generation, as text or as its end."""
        stream = work.stream
        assert stream is not None  # running work is ready
        work.first_at = work.first_at or time.monotonic()
        if token in self._tokenizer.stop_ids:
            self._end(work, Reason.STOP)
            return
        work.tokens.append(token)
        if score:
            work.scores.append(score)
        self._counted["tokens"] += 1
        try:
            reason = stream.push(token)
        except Exception:
            log.exception("generation %s: no text for token %d", work.request.generation_id, token)
            self._end(work, Reason.FAILED, ErrorCode.ENGINE)
            return
        if reason is None and work.generated >= work.max_new:
            reason = Reason.LENGTH
        if reason is None:
            self._emit(work, stream)
        else:
            self._end(work, reason)

    def _fail(self, batch: list[Work], error: Exception) -> None:
        """Ends a generation that failed alone; several are tried one by one, and fed again."""
        code = ErrorCode.OUT_OF_MEMORY if is_out_of_memory(error) else ErrorCode.ENGINE
        alone = len(batch) == 1
        self.failures += alone
        for work in batch:
            work.doubted = True
            work.shared_failures += not alone
            if alone or work.shared_failures >= SHARED_FAILURES_LIMIT:
                self._end(work, Reason.FAILED, code)
        self._renew_cache()

    def _renew_cache(self) -> None:
        """Empties the cache: all running generations are fed again from the beginning."""
        self._step = None
        self._rows.forget()
        for work in self._running:
            work.fed = 0

    def _emit(self, work: Work, stream: TextStream | KindStream) -> None:
        while piece := stream.take():
            if work.scores:
                first, last = piece.after - len(work.emitted), piece.seq - len(work.emitted)
                piece = replace(piece, scores=tuple(work.scores[first:last]))
            self._events.append(Delta(work.request.generation_id, work.request.attempt, piece))

    def _end(self, work: Work, reason: Reason, error: str = "") -> None:
        """Ends a generation with its event; the only way to do so."""
        self._forget(work)
        stream, now = (work.stream if work.ready else None), time.monotonic()
        if stream:
            reason, refused_by = stream.finish(reason)
            error = error or refused_by
            self._emit(work, stream)
        self._events.append(
            Ended(
                work.request.generation_id,
                work.request.attempt,
                stream.seq if stream else len(work.emitted),
                reason,
                error=str(error),
                prompt_tokens=work.prompt_size,
                left_out=work.left_out,
                thoughts=0,  # it calls no tools, so there are no earlier steps
                fingerprint=self.fingerprint,
                prefill_ms=_milliseconds(work.admitted_at, work.first_at or now),
                decode_ms=_milliseconds(work.first_at, now),
            )
        )

    def _forget(self, work: Work) -> None:
        if work.row >= 0:
            self._running.remove(work)
            self._rows.give_back(work.row, work.cache_key, work.tokens[: work.fed])
            work.row = -1
        else:
            self._waiting.remove(work)


def _milliseconds(start: float, end: float) -> int:
    return round((end - start) * 1000) if start else 0
