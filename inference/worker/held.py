"""Describes a reply that a worker holds, with its whole log, and how far it has come."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

from inference.contract import Ended, GenerationRequest, Kind, Piece

PIECE_CHARACTERS = 8192  # at most 32 KiB of UTF-8: a piece is sent to browsers as one frame


class Stage(Enum):
    RUNNING = auto()  # the engine works on it
    RETURNING = auto()  # the engine gave it back; it is on its way to the queue
    ENDING = auto()  # the engine is done; the log is not
    ENDED = auto()  # the log has its terminal entry; the finish task is not published
    PUBLISHED = auto()  # held until the log is marked settled (rule 9)


@dataclass
class Held:
    """Holds a reply on this worker, with its whole log, because Redis may lose its copy."""

    request: GenerationRequest
    pieces: list[Piece]  # the first `entries` as they are or were in the log, then those to be sent
    sent: int  # number of the last token known to be in the log
    entries: int = 0
    stage: Stage = Stage.RUNNING
    ended: Ended | None = None
    begun: bool = False  # the engine has it
    stop_seen: bool = False
    last_at: float = 0.0  # time.monotonic() of the newest piece of this attempt; 0: none
    done: threading.Event = field(default_factory=threading.Event)  # the slot is free

    @property
    def about(self) -> dict[str, str | int]:
        """Returns fields for log lines, without any text of the conversation."""
        asked = self.request
        return {"generation": asked.generation_id, "model": asked.model, "attempt": asked.attempt}

    @property
    def seq(self) -> int:
        return self.pieces[-1].seq if self.pieces else 0

    def add(self, piece: Piece, at: float) -> None:
        """Adds a new piece that came at `at` (time.monotonic()). A thought gets its duration; waiting for the
        first token of an attempt is not part of it."""
        if piece.kind is Kind.THOUGHT and self.last_at:
            piece = replace(piece, duration_ms=max(0, round((at - self.last_at) * 1000)))
        self.last_at = at
        self.pieces.append(piece)

    def unsent(self) -> Piece | None:
        """Returns the piece to append next, or None. New pieces are joined, lost entries go one by one."""
        first = self._first_unsent()
        if first is None:
            return None
        return self.pieces[first] if first < self.entries else merge(self.pieces[first:])

    def _first_unsent(self) -> int | None:
        """Returns the place of the first piece that is not known to be in the log; None: all are."""
        if self.sent >= self.seq:
            return None
        if self.sent == self.logged_seq:  # as nearly always: nothing was lost
            return self.entries
        return next(i for i, piece in enumerate(self.pieces) if piece.after >= self.sent)

    @property
    def logged_seq(self) -> int:
        """Returns the number of the last token in pieces that are or were in the log."""
        return self.pieces[self.entries - 1].seq if self.entries else 0

    def note_logged(self, seq: int) -> None:
        """Records that the log reaches to `seq`: the new pieces up to there are one entry.

        Should Redis lose it, the same entries are written again: then a reader's position in the old log is
        one in the new log, and no page gets a token twice.
        """
        new = [piece for piece in self.pieces[self.entries :] if piece.seq <= seq]
        if new:
            self.pieces[self.entries : self.entries + len(new)] = [join(new)]
            self.entries += 1

    def body(self) -> dict[str, Any]:
        """Returns what the terminal entry has besides the reason."""
        assert self.ended is not None
        body = dataclasses.asdict(self.ended)
        for known in ("generation_id", "attempt", "seq", "reason"):
            del body[known]
        return body


def merge(pieces: Sequence[Piece]) -> Piece:
    """Joins as many of the pieces as one entry may hold; it holds one kind."""
    length = 0
    for number, piece in enumerate(pieces):
        length += len(piece.text)
        if number and (length > PIECE_CHARACTERS or piece.kind is not pieces[0].kind):
            return join(pieces[:number])
    return join(pieces)


def join(pieces: Sequence[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    return Piece(
        pieces[0].after,
        pieces[-1].seq,
        "".join(piece.text for piece in pieces),
        tuple(i for piece in pieces for i in piece.ids),
        tuple(score for piece in pieces for score in piece.scores),
        pieces[0].kind,
        pieces[0].run,
        sum(piece.duration_ms for piece in pieces),
    )
