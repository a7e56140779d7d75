"""Makes the pieces of a reply whose model thinks: a TextStream for each stretch of one kind.

It has the methods of TextStream. A reply rule holds in every kind, a stop string in the answer's text alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from inference.contract import Kind, Piece, Reason
from inference.text.detokenize import PieceBytes, TextStream
from inference.text.reply_rules import RuleSet
from inference.text.thought_marks import Marked, Parser

_NO_RULES = RuleSet(())


class KindStream:
    """push() each token but the end-of-turn one, take() after each until it is None, finish()."""

    def __init__(
        self,
        piece_bytes: PieceBytes,
        parser: Parser,
        *,
        stop: Sequence[str] = (),
        rules: RuleSet = _NO_RULES,
        hold_back: int = 0,
        emitted: Sequence[int] = (),
        begun: bool = False,
    ) -> None:
        """The arguments are those of TextStream; `piece_bytes` also spells the marks."""
        self._piece_bytes = piece_bytes
        self._parser = parser
        self._stop, self._rules, self._hold_back = stop, rules, hold_back
        self._first = not begun
        self._emitted = len(emitted)  # tokens of an earlier attempt, which are not told again
        self._ids: list[int] = []
        self._bytes: list[bytes] = []
        self._pieces: deque[Piece] = deque()
        self._kind: Kind | None = None
        self._stream = self._new_stretch(Kind.TEXT)
        for token in emitted:
            self.push(token)

    def _new_stretch(self, kind: Kind) -> TextStream:
        before = len(self._ids)
        return TextStream(
            lambda index, first: self._bytes[index] if index >= before else b"",
            stop=self._stop if kind is Kind.TEXT else (),
            rules=self._rules,
            hold_back=self._hold_back,
            emitted=range(before),
        )

    @property
    def seq(self) -> int:
        """Returns the number of the last token taken."""
        waiting = self._pieces[0].after if self._pieces else self._stream.seq
        return max(self._emitted, waiting)

    def push(self, token: int) -> Reason | None:
        """Adds a generated token; returns as TextStream.push."""
        return self._add(self._parser.feed(token, self._spelled(token)))

    def take(self) -> Piece | None:
        """Returns the next piece of tokens that may be emitted now, of one kind, or None."""
        self._collect()
        return self._pieces.popleft() if self._pieces else None

    def finish(self, reason: Reason) -> tuple[Reason, str]:
        """Ends the reply; returns as TextStream.finish."""
        if reason is not Reason.REFUSED:
            ended = self._add(self._parser.flush())
            if ended and reason in (Reason.STOP, Reason.LENGTH):
                reason = ended
        reason, rule = self._stream.finish(reason)
        self._collect()
        return reason, rule

    def _add(self, certain: Sequence[Marked]) -> Reason | None:
        for token, kind, data in certain:
            if kind is not self._kind and self._begin(kind) is Reason.REFUSED:
                return Reason.REFUSED
            self._ids.append(token)
            self._bytes.append(data)
            if reason := self._stream.push(len(self._ids) - 1):
                return reason
        return None

    def _begin(self, kind: Kind) -> Reason:
        """Ends the stretch before, whole, and begins one of another kind."""
        reason, _ = self._stream.finish(Reason.LENGTH)
        self._collect()
        if reason is not Reason.REFUSED:
            self._kind, self._stream = kind, self._new_stretch(kind)
        return reason

    def _collect(self) -> None:
        """Takes what is certain; tokens of an earlier attempt are left out."""
        if self._stream.seq < self._emitted:
            self._stream.take(self._emitted)
        if self._stream.seq >= self._emitted and (piece := self._stream.take()):
            ids = tuple(self._ids[index] for index in piece.ids)
            self._pieces.append(replace(piece, ids=ids, kind=self._kind or Kind.TEXT))

    def _spelled(self, token: int) -> bytes:
        if not self._first:
            return self._piece_bytes(token, False)
        self._first = not self._piece_bytes(token, False)
        return self._piece_bytes(token, True)
