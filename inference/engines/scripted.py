"""An engine without a model, for tests and fault drills. script_language.py says what a script can hold.

One token per word with its following space; a token's id is its place in the answer, so a resumed answer
needs only the number of tokens that are there already. Stop strings, reply rules and limits work as in the
real engine, through the same TextStream. One thread serves everybody: it sleeps until the next word is due
and hands out all words due within the next 2 ms together, so a hundred slow answers cost little.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inference.base import exit_status
from inference.contract import (
    EFFORTS,
    MOST_RESTARTS,
    Capabilities,
    Delta,
    Ended,
    ErrorCode,
    Event,
    GenerationRequest,
    GivenBack,
    Piece,
    Reason,
    Resume,
)
from inference.core.inbox import Cancel, Drop, Inbox
from inference.engines.base import Emit, Engine
from inference.engines.entry import ModelAbout
from inference.engines.script_answer import Answer, answer_to
from inference.engines.script_language import Script, divided

log = logging.getLogger(__name__)

TOGETHER = 0.002  # seconds: words due this soon leave in the same step
AT_ONCE = 64  # words of one answer in one step, at most
MOST_BEHIND = 0.25  # seconds a late answer catches up; a longer pause (a stopped process) is not made up for


@dataclass(frozen=True, slots=True)
class Submit:
    """Commands the engine to answer a request."""

    request: GenerationRequest
    emitted: tuple[int, ...]

    @property
    def generation_id(self) -> str:
        return self.request.generation_id


class Scripted:
    """The entry in the table of engines. It is refused without GROKWEB_TEST_ENGINES=1, as it is for tests."""

    label = "scripted answers, for tests"

    def describe(self, model: str) -> ModelAbout:
        _check_allowed()
        return ModelAbout(slug=slug_of(Resume(model or Resume.EXACT)), name="Scripted (tests)")

    def usable_context(self, model: str, wanted: int) -> int:
        return 0

    def create(self, model: str, *, slots: int, threads: int, cache_bytes: int, context: int) -> Engine:
        _check_allowed()
        return ScriptedEngine(slots=slots, resume=Resume(model or Resume.EXACT))


def _check_allowed() -> None:
    if os.environ.get("GROKWEB_TEST_ENGINES", "").lower() not in {"1", "true", "yes", "on"}:
        raise ValueError("GROKWEB_MODEL=scripted is for tests only; set GROKWEB_TEST_ENGINES=1 to allow it")


def slug_of(resume: Resume) -> str:
    """Returns the slug of a variant, so that several can run beside each other."""
    return "scripted" if resume is Resume.EXACT else f"scripted-{resume}"


class ScriptedEngine:
    """Answers as the last question says. base.Engine describes the methods."""

    name = "Scripted test engine"
    fingerprint = "scripted-1"
    back_end = "scripted"
    context = 8192
    problem = ""

    def __init__(
        self,
        *,
        slots: int,
        exit: Callable[[int], object] = os._exit,
        resume: Resume = Resume.EXACT,
    ) -> None:
        self.slug = slug_of(resume)
        self.slots = slots
        images = resume is Resume.EXACT  # a variant without, so that both can be tried
        self.capabilities = Capabilities(resume, reasoning=True, efforts=EFFORTS, tools=True, images=images)
        self._exit = exit
        self._steps = 0
        self._inbox: Inbox[Submit | Cancel | Drop] = Inbox()
        self._waiting: deque[Submit] = deque()
        self._running: dict[str, Answer] = {}
        self._agenda: list[tuple[float, int, Answer]] = []  # heap by due time; may hold answers that ended
        self._order = itertools.count()
        self._events: list[Event] = []
        self._thread: threading.Thread | None = None
        self._counted: Counter[str] = Counter(steps=0, rows=0, tokens=0)
        self._released = threading.Event()  # lets a hanging thread end with stop()

    @property
    def steps(self) -> int:
        return self._steps

    @property
    def busy(self) -> bool:
        return bool(self._running or self._waiting or self._inbox)

    def metrics(self) -> dict[str, int]:
        """Returns counters without a cache; a step is one in which a word was due."""
        return dict(self._counted)

    def start(self, emit: Emit) -> None:
        if self._thread:
            raise RuntimeError("this engine was started before")
        self._thread = threading.Thread(target=self._run, args=(emit,), name="engine-scripted", daemon=True)
        self._thread.start()

    def submit(
        self, request: GenerationRequest, emitted: Sequence[int], *, logged: Sequence[Piece] = ()
    ) -> None:
        self._inbox.put(Submit(request, tuple(emitted)))

    def cancel(self, generation_id: str) -> None:
        self._inbox.put(Cancel(generation_id))

    def drop(self, generation_id: str) -> None:
        self._inbox.put(Drop(generation_id))

    def stop(self) -> None:
        self._released.set()
        self._inbox.close()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join(timeout=30)

    # The engine's thread ----------------------------------------------------------------------------------

    def _run(self, emit: Emit) -> None:
        try:
            while not self._inbox.closed:
                self._turn()
                if self._events:
                    emit(self._events)
                self._inbox.wait(self._seconds_to_next())
        except Exception:
            log.exception("the engine's loop failed: this process ends")
            self._exit(exit_status.ENGINE_FAILED)

    def _turn(self) -> None:
        self._events = []
        for command in self._inbox.drain():
            self._obey(command)
        self._admit()
        soon = time.monotonic() + TOGETHER
        due = []
        while self._agenda and self._agenda[0][0] <= soon:
            due.append(heapq.heappop(self._agenda)[2])
        due = [answer for answer in due if self._running.get(answer.request.generation_id) is answer]
        for answer in due:
            self._advance(answer, soon)
        self._counted.update(steps=bool(due), rows=len(due))
        self._steps += 1

    def _seconds_to_next(self) -> float | None:
        if self._waiting and len(self._running) < self.slots:
            return 0.0
        return max(0.0, self._agenda[0][0] - time.monotonic()) if self._agenda else None

    def _obey(self, command: Submit | Cancel | Drop) -> None:
        wanted, stopped = command.generation_id, isinstance(command, Cancel)
        for waiting in [w for w in self._waiting if w.request.generation_id == wanted]:
            self._waiting.remove(waiting)
            if stopped:
                self._append_end(waiting.request, len(waiting.emitted), Reason.STOPPED)
        running = self._running.pop(wanted, None)
        if running and stopped:
            self._end(running, Reason.STOPPED)
        if isinstance(command, Submit):
            self._waiting.append(command)

    def _admit(self) -> None:
        while self._waiting and len(self._running) < self.slots:
            asked = self._waiting.popleft()
            try:
                answer = answer_to(asked.request, asked.emitted, self.context)
            except Exception:
                log.exception("generation %s could not be prepared", asked.request.generation_id)
                self._append_end(asked.request, len(asked.emitted), Reason.FAILED, ErrorCode.ENGINE)
                continue
            if answer.max_new < 1:
                self._append_end(asked.request, answer.made, Reason.FAILED, ErrorCode.TOO_LONG, answer)
                continue
            self._running[asked.request.generation_id] = answer
            self._schedule(answer)

    def _schedule(self, answer: Answer) -> None:
        heapq.heappush(self._agenda, (answer.due, next(self._order), answer))

    def _advance(self, answer: Answer, soon: float) -> None:
        """Generates the words of one answer that are due before `soon`."""
        try:
            self._break(answer.script.fault)
            reason = self._speak(answer, soon)
        except MemoryError:
            self._end(answer, Reason.FAILED, ErrorCode.OUT_OF_MEMORY)
        except FloatingPointError:
            self._end(answer, Reason.FAILED, ErrorCode.NAN)
        except ArithmeticError:
            log.exception("engine step failed")
            self._end(answer, Reason.FAILED, ErrorCode.ENGINE)
        else:
            if reason:
                self._end(answer, reason)
            elif answer.is_cut:
                self._give_back(answer)
            else:
                self._append_piece(answer)
                self._schedule(answer)

    def _give_back(self, answer: Answer) -> None:
        """Does what an engine does whose server broke off (inference/servers/answering.py)."""
        request = answer.request
        if request.run >= MOST_RESTARTS:
            self._end(answer, Reason.FAILED, ErrorCode.SERVER_CUT)
            return
        self._running.pop(request.generation_id)
        self._append_piece(answer)
        self._events.append(GivenBack(request.generation_id, request.attempt, answer.stream.seq))

    def _break(self, fault: str) -> None:
        """Fails in the way the script demands, if it does."""
        if fault == "poison:":
            os.kill(os.getpid(), signal.SIGKILL)
        elif fault == "oom:":
            raise MemoryError("the script asks for it")
        elif fault == "nan:":
            raise FloatingPointError("the script asks for it")
        elif fault == "raise:":
            raise ZeroDivisionError("the script asks for it")
        elif fault == "hang:":
            self._released.wait()

    def _speak(self, answer: Answer, soon: float) -> Reason | None:
        """Adds the words due before `soon`; returns the reason for which the answer ends, or None."""
        for _ in range(AT_ONCE):
            if answer.made >= min(len(answer.script.words), answer.max_new):
                if answer.made < len(answer.script.words):
                    return Reason.LENGTH
                return Reason.CALLS if answer.script.calls else Reason.STOP
            if answer.due > soon or answer.is_cut:
                return None
            reason = answer.stream.push(answer.made)
            answer.made += 1
            self._counted["tokens"] += 1
            answer.due = max(answer.due + answer.script.interval, soon - MOST_BEHIND)
            if reason:
                return reason
        return None

    def _append_piece(self, answer: Answer) -> None:
        piece, asked = answer.stream.take(), answer.request
        if piece:
            self._events += [
                Delta(asked.generation_id, asked.attempt, each) for each in divided(piece, answer.script)
            ]

    def _end(self, answer: Answer, reason: Reason, error: str = "") -> None:
        self._running.pop(answer.request.generation_id, None)
        reason, refused_by = answer.stream.finish(reason)
        self._append_piece(answer)
        self._append_end(answer.request, answer.stream.seq, reason, error or refused_by, answer)

    def _append_end(
        self,
        request: GenerationRequest,
        seq: int,
        reason: Reason,
        error: str = "",
        answer: Answer | None = None,
    ) -> None:
        script = answer.script if answer else Script(())
        prompt, completion = script.usage or (answer.prompt_tokens if answer else 0, None)
        self._events.append(
            Ended(
                request.generation_id,
                request.attempt,
                seq,
                reason,
                error=str(error),
                prompt_tokens=prompt,
                left_out=answer.left_out if answer else 0,
                thoughts=answer.thoughts if answer else 0,
                fingerprint=self.fingerprint,
                decode_ms=round((time.monotonic() - answer.started) * 1000) if answer else 0,
                completion_tokens=completion,
                estimated=script.is_estimated,
            )
        )
