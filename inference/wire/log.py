"""Writes and reads the numbered token log: one Redis Stream a generation (rule 3). No torch, no Django.

`seq` is the number of generated tokens up to and including an entry; the stream id of a piece is `<seq>-0`,
that of the terminal entry `<seq>-1`. Each run of a reply adds RUN to these numbers: a reader of an older run
is before all entries of a newer one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import redis

from inference.contract import Kind, Piece, Reason, Score
from inference.wire import scripts

BATCH = 64  # replies in one call: Redis does nothing else meanwhile
Addition = tuple[str, int, Piece]  # generation id, attempt, what to append
Answer = tuple[str, int, int]
RUN = 10**9  # more tokens than any run has; lua/common.lua has the same number


@dataclass(frozen=True, slots=True)
class End:
    """Holds the terminal entry: the reason, and measurements of the worker (prompt_tokens, prefill_ms, …).

    The times are taken by Redis' clock: from the first submit to the first claim, the first token, the end.
    None: the reply did not come so far, or Redis lost the time.
    """

    seq: int
    reason: Reason
    body: Mapping[str, Any] = field(default_factory=dict)
    queued_ms: int | None = None
    first_ms: int | None = None
    total_ms: int | None = None
    run: int = 0

    @property
    def error(self) -> str:
        return str(self.body.get("error", ""))

    @property
    def prompt_tokens(self) -> int:
        return int(self.body.get("prompt_tokens", 0))

    @property
    def completion_tokens(self) -> int:
        """Returns the tokens of the answer to charge: as a model's server counts them, else those logged."""
        counted = self.body.get("completion_tokens")
        return self.seq if counted is None else int(counted)

    @property
    def left_out(self) -> int:
        """Returns how many of the oldest turns of the prompt did not fit into the context."""
        return int(self.body.get("left_out", 0))

    @property
    def thoughts(self) -> int | None:
        """Returns how many earlier steps of the reply had their thoughts in the prompt; None: an older worker
        does not report it."""
        counted = self.body.get("thoughts")
        return None if counted is None else int(counted)

    @property
    def is_estimated(self) -> bool:
        """Returns whether the token counts are estimates."""
        return bool(self.body.get("estimated"))


@dataclass(frozen=True, slots=True)
class Log:
    pieces: tuple[Piece, ...]
    end: End | None

    @property
    def seq(self) -> int:
        return self.pieces[-1].seq if self.pieces else 0

    @property
    def run(self) -> int:
        if self.end is not None:
            return self.end.run
        return self.pieces[-1].run if self.pieces else 0

    @property
    def text(self) -> str:
        """Returns the answer's text, without thoughts and calls."""
        return "".join(piece.text for piece in self.pieces if piece.kind is Kind.TEXT)

    @property
    def everything(self) -> str:
        """Returns the text of all kinds, in the order in which it was written."""
        return "".join(piece.text for piece in self.pieces)


def key(generation_id: str) -> str:
    return scripts.key("log", generation_id)


def parse(entry_id: str, fields: Mapping[str, str]) -> Piece | End:
    """Reads one entry of the stream; fields that a newer version added are ignored."""
    run, seq = divmod(int(entry_id.partition("-")[0]), RUN)
    if "end" in fields:
        # A worker of an earlier version calls the total time `whole`.
        named = {"total": fields["whole"], **fields} if "whole" in fields else fields
        queued, first, total = (
            int(named[name]) if name in named else None for name in ("queued", "first", "total")
        )
        body = json.loads(fields["body"] or "{}")
        return End(seq, Reason(fields["end"]), body, queued, first, total, run)
    scores = tuple(
        Score(logprob, tuple((token, at) for token, at in top))
        for logprob, top, *_ in json.loads(fields.get("scores", "[]"))
    )
    kind = Kind.read(fields.get("kind", Kind.TEXT))
    ids, duration = tuple(json.loads(fields["ids"])), int(fields.get("ms", 0))
    return Piece(int(fields["after"]), seq, fields["text"], ids, scores, kind, run, duration)


def assemble(entries: Iterable[tuple[str, Mapping[str, str]]]) -> Log:
    pieces: list[Piece] = []
    end = None
    for entry_id, fields in entries:
        item = parse(entry_id, fields)
        if isinstance(item, End):
            end = item
        else:
            pieces.append(item)
    return Log(tuple(pieces), end)


def read(client: redis.Redis, generation_id: str) -> Log:
    """Returns the whole log; empty if there is none."""
    entries: Any = client.xrange(key(generation_id))
    return assemble(entries)


def append_all(client: redis.Redis, worker: str, batch: Sequence[Addition]) -> list[Answer]:
    """Appends one piece to each of many logs; returns [appended | already_there | stale | missing | gap,
    last, stop] for each, in their order. Raises redis.RedisError: some may have been appended then.
    """
    parts = [batch[start : start + BATCH] for start in range(0, len(batch), BATCH)]
    packed = [msgspec.msgpack.encode([_fields(*addition) for addition in part]) for part in parts]
    calls: list[scripts.Call] = [("append", (worker, part)) for part in packed]
    return [tuple(answer) for answers in scripts.run_all(client, calls) for answer in answers]


def _fields(generation_id: str, attempt: int, piece: Piece) -> tuple[str | int, ...]:
    """Returns what lua/append.lua reads of one piece."""
    ids = json.dumps(piece.ids, separators=(",", ":")) if piece.ids else "[]"
    scores = [[round(score.logprob, 6), score.top] for score in piece.scores]
    encoded = json.dumps(scores, separators=(",", ":")) if scores else ""
    kind = "" if piece.kind is Kind.TEXT else piece.kind
    place = (generation_id, attempt, piece.after, piece.seq)
    return (*place, piece.text, ids, encoded, kind, piece.duration_ms or "")


def finish_call(
    generation_id: str, attempt: int, worker: str, seq: int, reason: Reason, body: Mapping[str, Any]
) -> scripts.Call:
    """Returns a call that writes the worker's terminal entry; it answers as append_all does, without stop."""
    counted = body.get("completion_tokens")
    used = int(body.get("prompt_tokens", 0)) + (seq if counted is None else int(counted))
    millis = int(body.get("prefill_ms", 0)) + int(body.get("decode_ms", 0))
    return ("finish", (generation_id, attempt, worker, seq, str(reason), json.dumps(body), used, millis))


def rewrite(client: redis.Redis, generation_id: str, attempt: int, worker: str) -> None:
    """Empties the log of a held reply, so that its holder can write it again from the start."""
    scripts.run(client, "rewrite", generation_id, attempt, worker)


def end(client: redis.Redis, generation_id: str, attempt: int, reason: Reason, error: str = "") -> str:
    """Writes a terminal entry without a worker; creates the log if there is none."""
    return str(scripts.run(client, "end", generation_id, attempt, str(reason), json.dumps({"error": error})))
