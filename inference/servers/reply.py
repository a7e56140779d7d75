"""Makes the pieces of one reply from a server's chunks: no stop string, nothing that a reply rule forbids.

A server sends no token ids, so a chunk counts as one token; the server's usage tells later how many there
really were. Stops, rules and hold-back work as for an engine of our own (text/detokenize.py), separately in
each stretch of one kind: what is held back of a thought is certain when the answer begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from inference.contract import GenerationRequest, Kind, Piece, Reason
from inference.text.detokenize import TextStream
from inference.text.reply_rules import compile_rules

CHARACTERS_PER_TOKEN = 32  # a server that sends more than this times the limit does not keep it


class ReplyText:
    """push() each chunk, take() after it, then finish() and take() once more."""

    def __init__(self, request: GenerationRequest, logged: Sequence[Piece] = ()) -> None:
        """`logged` are the pieces of earlier attempts. Raises ValueError for an unreadable rule."""
        self._request = request
        self._rules = compile_rules(request.rules)
        self._kind = logged[-1].kind if logged else Kind.TEXT
        self._texts = [piece.text for piece in logged if piece.kind is Kind.TEXT]
        self._received = logged[-1].seq if logged else 0
        self._characters = sum(len(piece.text) for piece in logged)
        self._pieces: list[Piece] = []
        last = [piece.text for piece in takewhile(lambda each: each.kind is self._kind, reversed(logged))]
        self._begin_stretch(self._kind, "".join(reversed(last)))

    def _begin_stretch(self, kind: Kind, said: str = "") -> None:
        """Begins a stretch of one kind; `said` of it is in the log already."""
        self._kind = kind
        self._chunks = [said.encode("utf-8", "replace"), *[b""] * self._received][: self._received]
        self._stream = TextStream(
            lambda token, first: self._chunks[token],
            stop=self._request.stop if kind is Kind.TEXT else (),
            rules=self._rules,
            hold_back=self._request.hold_back,
            emitted=range(self._received),
        )

    @property
    def seq(self) -> int:
        """Returns the number of the last token taken."""
        return self._stream.seq

    @property
    def received(self) -> int:
        """Returns how many chunks there are, held back ones included."""
        return self._received

    @property
    def left(self) -> int:
        """Returns how many tokens the request still allows."""
        return self._request.max_new_tokens - self._received

    @property
    def is_in_answer(self) -> bool:
        """Returns whether the last chunk is of the answer: only there can a server continue."""
        return self._kind is Kind.TEXT

    def so_far(self) -> str:
        """Returns the answer received, held back text included: what another server continues."""
        self._texts = ["".join(self._texts)]
        return self._texts[0]

    def push(self, kind: Kind, text: str) -> Reason | None:
        """Adds a chunk; returns why the reply ends with it, or None."""
        if kind is not self._kind:
            reason, _ = self._end_stretch(Reason.STOP)
            if reason is Reason.REFUSED:
                return reason
            self._begin_stretch(kind)
        if kind is Kind.TEXT:
            self._texts.append(text)
        self._chunks.append(text.encode("utf-8", "replace"))
        self._received += 1
        self._characters += len(text)
        ended = self._stream.push(self._received - 1)
        most = self._request.max_new_tokens
        exceeded = self.left <= 0 or self._characters > most * CHARACTERS_PER_TOKEN
        return ended or (Reason.LENGTH if exceeded else None)

    def take(self) -> list[Piece]:
        """Returns the pieces that are certain now."""
        self._collect()
        taken, self._pieces = self._pieces, []
        return taken

    def finish(self, reason: Reason) -> tuple[Reason, str]:
        """Returns the reason to report and, for REFUSED, the rule's id."""
        return self._end_stretch(reason)

    def _end_stretch(self, reason: Reason) -> tuple[Reason, str]:
        reason, rule = self._stream.finish(reason)
        self._collect()
        return reason, rule

    def _collect(self) -> None:
        piece = self._stream.take()
        if piece:
            self._pieces.append(replace(piece, ids=(), kind=self._kind))


class Continuation:
    """Joins a continued answer to the text before it.

    Templates cut white space from the end of the answer to continue, so it is sent without, and what the
    server repeats of it is left out.
    """

    def __init__(self, text: str) -> None:
        self.sent = text.rstrip()
        self._white = text[len(self.sent) :]

    def join(self, chunk: str) -> str:
        """Returns the part of a chunk that is new."""
        if not self._white:
            return chunk
        if not chunk.strip():
            repeated = min(len(chunk), len(self._white))
            self._white = self._white[repeated:]
            return chunk[repeated:]
        white, self._white = self._white, ""
        lead = len(chunk) - len(chunk.lstrip())
        return chunk[min(lead, len(white)) :]
