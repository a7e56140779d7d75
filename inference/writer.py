"""Brings what the engine made into the token logs, in order and once, whatever happens to Redis meanwhile.

One Writer a model worker. The engine thread hands events in (`take`); everything else happens in `tick`,
which one thread calls (inference/worker.py), or a test, step by step. The rules are in docs/live-path.md.
"""

from __future__ import annotations

import dataclasses
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import redis

from inference import lease, log, scripts
from inference import queue as fair_queue
from inference.contract import FINISH_TASK, RETURNED_TASK, Delta, Ended, Event, GenerationRequest
from inference.log import Log, Piece

logger = logging.getLogger("grokweb.writer")

PIECE_CHARACTERS = 8192  # at most 32 KiB of UTF-8: a piece is sent to browsers as one frame


class Stage(Enum):
    RUNNING = auto()  # the engine works on it
    ENDING = auto()  # the engine is done; the log is not
    ENDED = auto()  # the log has its terminal entry; the finish task is not sent
    KEPT = auto()  # sent; kept until the log is marked settled (rule 9)


@dataclass
class Held:
    """One reply on this worker, with its whole log: Redis may lose its copy."""

    request: GenerationRequest
    pieces: list[Piece]  # the first `entries` of them as they are or were in the log, then what is to be sent
    sent: int  # number of the last token known to be in the log
    entries: int = 0
    stage: Stage = Stage.RUNNING
    ended: Ended | None = None
    begun: bool = False  # the engine has it
    stop_seen: bool = False
    done: threading.Event = field(default_factory=threading.Event)  # the slot is free

    @property
    def about(self) -> dict[str, str | int]:
        """For log lines: never a word of the conversation."""
        asked = self.request
        return {"generation": asked.generation_id, "model": asked.model, "attempt": asked.attempt}

    @property
    def seq(self) -> int:
        return self.pieces[-1].seq if self.pieces else 0

    def unsent(self) -> Piece | None:
        """What to append next; None if there is nothing. New pieces go as one, lost entries one by one."""
        first = next((i for i, piece in enumerate(self.pieces) if piece.after >= self.sent), None)
        if first is None:
            return None
        return self.pieces[first] if first < self.entries else merge(self.pieces[first:])

    def note_logged(self, seq: int) -> None:
        """The log reaches to `seq`: what was new up to there is one entry.

        Should Redis lose it, the same entries are written again: then a reader's place in the old log is a
        place in the new one, and no page gets a token twice.
        """
        new = [piece for piece in self.pieces[self.entries :] if piece.seq <= seq]
        if new:
            self.pieces[self.entries : self.entries + len(new)] = [join(new)]
            self.entries += 1

    def body(self) -> dict[str, Any]:
        """What the terminal entry carries besides the reason."""
        assert self.ended is not None
        body = dataclasses.asdict(self.ended)
        for known in ("generation_id", "attempt", "seq", "reason"):
            del body[known]
        return body


def merge(pieces: Sequence[Piece]) -> Piece:
    """As many of them as one entry may hold, as one."""
    length = 0
    for number, piece in enumerate(pieces):
        length += len(piece.text)
        if number and length > PIECE_CHARACTERS:
            return join(pieces[:number])
    return join(pieces)


def join(pieces: Sequence[Piece]) -> Piece:
    return Piece(
        pieces[0].after,
        pieces[-1].seq,
        "".join(piece.text for piece in pieces),
        tuple(i for piece in pieces for i in piece.ids),
        tuple(score for piece in pieces for score in piece.scores),
    )


class Writer:
    """`publish(task, args)` sends a Celery message; `cancel` and `drop` are the engine's."""

    def __init__(
        self,
        client: redis.Redis,
        worker: str,
        *,
        publish: Callable[[str, list[Any]], None],
        cancel: Callable[[str], None],
        drop: Callable[[str], None],
    ) -> None:
        self.client = client
        self.worker = worker
        self._publish = publish
        self._cancel = cancel
        self._drop = drop
        self._events: queue.SimpleQueue[list[Event]] = queue.SimpleQueue()
        self._held: dict[str, Held] = {}
        self._lock = threading.RLock()  # slots hold and release while the writer's thread ticks
        self._returned: list[str] = []
        self.wake = threading.Event()
        self.urgent = False  # a first token or an end is waiting: do not collect any longer

    # --- from the slots and the engine --------------------------------------------------------------------

    def hold(self, request: GenerationRequest, kept: Log) -> Held:
        """Takes over a claimed reply with what earlier attempts logged.

        Redis with older data may hand out what this worker has in hand or has finished at the same attempt:
        then our copy stays, and is written again as far as Redis lacks it.
        """
        with self._lock:
            held = self._held.get(request.generation_id)
            if held is not None and held.request.attempt == request.attempt:
                held.sent = 0
                if held.stage is not Stage.RUNNING:
                    held.stage = Stage.ENDING
                return held
            if held is not None:
                self._overtaken(held)
            held = self._held[request.generation_id] = Held(
                request, list(kept.pieces), kept.seq, entries=len(kept.pieces)
            )
            return held

    def _overtaken(self, held: Held) -> None:
        """This worker woke, and a slot of it has the newer attempt before a tick saw that the older is stale.

        The engine drops the older when it gets the newer; its slot is free, and the strike is taken back.
        """
        if held.stage is Stage.RUNNING:
            self._returned.append(held.request.generation_id)
        self._forget(held)

    def take(self, events: list[Event]) -> None:
        """From the engine thread, once a step; never blocks."""
        self._events.put(events)
        if any(isinstance(e, Ended) or e.after == 0 for e in events):
            self.urgent = True
        self.wake.set()

    def running(self) -> list[Held]:
        with self._lock:
            return [held for held in self._held.values() if held.stage is Stage.RUNNING]

    def suspects(self) -> int:
        return sum(held.request.strikes > 0 for held in self.running())

    @property
    def idle(self) -> bool:
        """Nothing held and nothing to tell: the process may end without loss."""
        with self._lock:
            return not self._held and not self._returned

    # --- one cycle ----------------------------------------------------------------------------------------

    def tick(self, *, renew: bool) -> None:
        """Drains the engine's events, appends, finishes, publishes; with `renew` also keeps the leases.

        Raises redis.RedisError or a broker's OperationalError: nothing is lost, the next tick goes on.
        """
        with self._lock:
            self._drain()
            for _ in range(64):  # a gap sends again at once; the bound is against a mistake, not for use
                if not self._append():
                    break
            self._finish()
            if renew:
                self._renew()
            self._tell()

    def hand_over(self) -> None:
        """Rule 11: append what is there, give every unfinished reply back to the head of the queue."""
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
                events = self._events.get_nowait()
            except queue.Empty:
                return
            for event in events:
                self._note(event)

    def _note(self, event: Event) -> None:
        held = self._held.get(event.generation_id)
        if held is None or held.request.attempt != event.attempt or held.stage is not Stage.RUNNING:
            return  # fenced off or handed over meanwhile
        if isinstance(event, Delta):
            held.pieces.append(Piece(event.after, event.seq, event.text, event.ids, event.scores))
        else:
            held.ended = event
            held.stage = Stage.ENDING
            held.done.set()

    def _append(self) -> bool:
        """One pipeline for all replies; True if something is still to be sent."""
        batch = []
        for held in self._held.values():
            piece = held.unsent() if held.stage in (Stage.RUNNING, Stage.ENDING) else None
            if piece is not None:
                batch.append((held, piece))
        calls = [
            log.append_call(held.request.generation_id, held.request.attempt, self.worker, piece)
            for held, piece in batch
        ]
        for (held, piece), (code, last, stop) in zip(batch, scripts.run_all(self.client, calls), strict=True):
            if code in ("appended", "already_there"):
                held.sent = piece.seq
                held.note_logged(piece.seq)
            elif code == "gap":
                self._go_back(held, last)
            else:
                self._refused(held, code)
            if stop:
                self._stop(held)
        return any(
            held.sent < held.seq and held.stage in (Stage.RUNNING, Stage.ENDING)
            for held in self._held.values()
        )

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
                self._say_ended(held)
            elif code == "gap":
                self._go_back(held, last)
            else:
                self._refused(held, code)

    def _say_ended(self, held: Held) -> None:
        ended = held.ended
        assert ended is not None
        figures = {
            "reason": str(ended.reason),
            "error": ended.error,  # a code or a rule's id
            "prompt_tokens": ended.prompt_tokens,
            "tokens": ended.seq,
            "prefill_ms": ended.prefill_ms,
            "decode_ms": ended.decode_ms,
        }
        logger.info("reply ended", extra={**held.about, "worker": self.worker, **figures})

    def _renew(self) -> None:
        everything = list(self._held.values())
        pairs = [(held.request.generation_id, held.request.attempt) for held in everything]
        for held, renewal in zip(everything, lease.renew(self.client, self.worker, pairs), strict=True):
            if renewal.code != "ok":
                self._refused(held, renewal.code)
            elif renewal.settled:
                self._forget(held)
            elif held.stage in (Stage.ENDED, Stage.KEPT) and not renewal.ended:
                held.stage, held.sent = Stage.ENDING, 0  # Redis came back with older data: finish again
            elif renewal.stop:
                self._stop(held)

    def _tell(self) -> None:
        for held in list(self._held.values()):
            if held.stage is Stage.ENDED:
                self._publish(FINISH_TASK, [held.request.generation_id, held.request.attempt])
                held.stage = Stage.KEPT
        if self._returned:
            self._publish(RETURNED_TASK, [self.worker, list(self._returned)])
            self._returned.clear()

    def _refused(self, held: Held, code: str) -> None:
        """`missing`: Redis lost it, enter it again with its log. `stale`: a newer attempt has it."""
        asked = held.request
        if code == "missing":
            answer, last = lease.register(self.client, self.worker, held.request)
            if answer == "ok":
                self._go_back(held, last)
                if held.stage is not Stage.RUNNING:
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
        """Redis has the log up to `last` only: send again from there, or all if our pieces differ."""
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
