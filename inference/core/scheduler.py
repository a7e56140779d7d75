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
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference.contract import Delta, Ended, ErrorCode, Event, GenerationRequest, Reason, Score
from inference.core.inbox import Cancel, Drop, Inbox
from inference.core.kv_rows import Key, Rows
from inference.core.plan import plan_step
from inference.core.sampling import History, choose, scores, usable
from inference.text.alternate import alternate, separate
from inference.text.detokenize import TextStream
from inference.text.prompt import TooLong, continues_answer, fit
from inference.text.reply_rules import compile_rules

log = logging.getLogger(__name__)

# A model that fails this often in a row will not recover inside this process.
FAILURES_LIMIT = 3
# Failed steps in which a request took part, though it never failed alone, before it is given up: then no
# single request causes the failure, but their number.
SHARED_FAILURES_LIMIT = 3


class Step(Protocol):
    """A model with its KV cache: `rows` rows of `context` positions."""

    def step(
        self,
        ids: Sequence[int],
        row: Sequence[int],
        pos: Sequence[int],
        hide_pad: Sequence[int],
        out_at: Sequence[int],
    ) -> NDArray[np.float32]:
        """Feed M tokens, a ragged batch: token ids[i] at position pos[i] of cache row row[i].

        The tokens of a row stand together, at consecutive positions; position 0 begins a row anew.
        `hide_pad[i]` is 1 for tokens of the original prompt. Returns the float32 logits (n, V) after the
        tokens whose places in the batch `out_at` (n,) names.
        """


class Tokenizer(Protocol):
    """The methods of a model's tokenizer that the scheduler needs."""

    @property
    def stop_ids(self) -> frozenset[int]: ...
    @property
    def stop_strings(self) -> tuple[str, ...]: ...
    @property
    def never_sample(self) -> frozenset[int]: ...
    def render_chat(self, messages: list[dict[str, str]], /, *, continue_last: bool = False) -> list[int]: ...
    def piece_bytes(self, token: int, first: bool, /) -> bytes: ...


@dataclass(slots=True, eq=False)
class Work:
    """A generation inside the engine."""

    request: GenerationRequest
    emitted: tuple[int, ...]
    ready: bool = False  # prompt, stream and max_new are there (or problem is)
    problem: ErrorCode | None = None
    tokens: list[int] = field(default_factory=list)  # prompt, then everything generated
    prompt_size: int = 0
    max_new: int = 0
    stream: TextStream | None = None
    scores: list[Score] = field(default_factory=list)  # of this attempt's tokens, if they were asked for
    row: int = -1
    fed: int = 0  # tokens whose keys and values are in the cache
    doubted: bool = False  # it was in a step that failed: its next step is its own
    shared_failures: int = 0
    admitted_at: float = 0.0
    first_at: float = 0.0  # when the first token of this attempt was chosen

    @property
    def cache_key(self) -> Key:
        """Returns the user and conversation that a cached prefix would serve."""
        return self.request.user_key, self.request.cache_key

    @property
    def generated(self) -> int:
        return len(self.tokens) - self.prompt_size

    @property
    def history(self) -> History:
        """Returns the history for `choose`, which reads tokens only if there are penalties."""
        if not self.request.sampling.penalises:
            return (), range(self.generated)
        return self.tokens[: self.prompt_size], self.tokens[self.prompt_size :]

    @property
    def to_feed(self) -> int:
        return len(self.tokens) - self.fed


Plan = list[tuple[Work, int]]  # who takes part in a step, and with how many tokens


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
            self._prepare(work)
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

    def _prepare(self, work: Work) -> None:
        request, tokenizer = work.request, self._tokenizer
        if any(not 0 <= token < self._vocab_size for token in work.emitted):
            raise ValueError(f"logged token ids are not in a vocabulary of {self._vocab_size:,}")
        messages = alternate(request.messages)
        begun = continues_answer(messages)
        render = partial(tokenizer.render_chat, continue_last=True) if begun else tokenizer.render_chat
        prompt = fit(
            separate(messages),
            lambda chosen: render(alternate(chosen)),
            context=self._context,
            max_new_tokens=request.max_new_tokens,
        )
        work.stream = TextStream(
            tokenizer.piece_bytes,
            stop=tokenizer.stop_strings + request.stop,
            rules=compile_rules(request.rules),
            hold_back=request.hold_back,
            emitted=work.emitted,
            begun=begun,
        )
        work.prompt_size = len(prompt.ids)
        work.max_new = prompt.max_new
        work.tokens = [*prompt.ids, *work.emitted]

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
            done, logits = self._feed(self._step, plan)
            good = usable(logits) if done else np.zeros(0, np.bool_)
            fine = [i for i in range(len(done)) if good[i]]
            chosen, scored = self._choose(logits, [done[i] for i in fine], fine)
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

    def _feed(self, step: Step, plan: Plan) -> tuple[list[Work], NDArray[np.float32]]:
        """Runs the model; returns the generations whose last token was fed, and their logits (n, V)."""
        ids: list[int] = []
        rows: list[int] = []
        pos: list[int] = []
        hide: list[int] = []
        out_at: list[int] = []
        done: list[Work] = []
        for work, count in plan:
            start, end = work.fed, work.fed + count
            ids += work.tokens[start:end]
            rows += [work.row] * count
            pos += range(start, end)
            hide += [1] * (min(end, work.prompt_size) - start)  # none if that is negative
            hide += [0] * (len(ids) - len(hide))
            if end == len(work.tokens):
                done.append(work)
                out_at.append(len(ids) - 1)
        logits = step.step(ids, rows, pos, hide, out_at)
        for work, count in plan:
            work.fed += count
        self._counted.update(steps=1, rows=len(plan), prompt_computed=sum(hide))
        return done, logits

    def _choose(
        self, logits: NDArray[np.float32], works: list[Work], at: list[int]
    ) -> tuple[list[int], list[Score | None]]:
        """Returns a token for each of `works`, and its score where that was requested."""
        if not works:
            return [], []
        requests = [work.request for work in works]
        mine = logits if len(at) == len(logits) else logits[at]
        chosen: list[int] = choose(
            mine,
            [request.sampling for request in requests],
            [request.seed for request in requests],
            [work.history for work in works],
            self._never,
        ).tolist()
        return chosen, scores(mine, chosen, [request.logprobs for request in requests])

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

    def _emit(self, work: Work, stream: TextStream) -> None:
        piece = stream.take()
        if piece:
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


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether Python, CUDA or torch's CPU allocator (a RuntimeError) ran out of memory."""
    words = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (
            isinstance(error, RuntimeError) and ("out of memory" in words or "can't allocate memory" in words)
        )
    )


def _milliseconds(start: float, end: float) -> int:
    return round((end - start) * 1000) if start else 0
