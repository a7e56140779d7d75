"""Turns token ids into text that may be shown: whole characters, no stop string, no forbidden text.

A token is emitted only when the text up to its end is certain: it ends no half character, no stop string may
have begun in it, and the rules' hold-back lies behind it. Ids and text then always agree: the ids emitted so
far decode to exactly the text emitted so far. All of this is a function of the tokens alone, never of how
they were batched, so a reply resumed after any number of emitted tokens equals the undisturbed one.

Two rules for the ends, chosen so that a resume can repeat them:

* Text stops at the last whole token before a stop string. A token that holds both the last characters of the
  reply and the beginning of the stop string is left out with both, for no id stands for half of it.
* Half a character at the end is left out as well, except when the length limit ended the reply: there it is
  emitted as U+FFFD, so that the count of tokens is the limit.
"""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Callable, Sequence

from inference.contract import Piece, Reason
from inference.text.reply_rules import RuleSet

_INSIDE_A_CHARACTER = -1


def _one_mark_per_byte(error: UnicodeError) -> tuple[str, int]:
    """Replaces each byte that is not UTF-8 by one U+FFFD, as decode() in grok1/tokenizer.py does."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("mark_per_byte", _one_mark_per_byte)
PieceBytes = Callable[[int, bool], bytes]
_NO_RULES = RuleSet(())


class TextStream:
    """Makes the text of one reply: push() each token but the end-of-turn one, take() after each, finish()."""

    def __init__(
        self,
        piece_bytes: PieceBytes,
        *,
        stop: Sequence[str] = (),
        rules: RuleSet = _NO_RULES,
        hold_back: int = 0,
        emitted: Sequence[int] = (),
        begun: bool = False,
    ) -> None:
        """`hold_back` in characters; `emitted` are the tokens of an earlier attempt; `begun`: the prompt ends
        with text that this reply continues.

        `piece_bytes(token, first)` are the bytes a token adds; `first` while no token before it had any.
        """
        self.seq = len(emitted)  # tokens emitted
        self._piece_bytes = piece_bytes
        self._stops = tuple(s for s in stop if s)
        self._rules = rules
        self._hold_back = hold_back
        self._first = not begun  # no token so far had any bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")("mark_per_byte")
        self._text = "".join([self._decoder.decode(self._bytes(token)) for token in emitted])
        self._raw = self._text.encode() if rules else b""  # the same text, for the rules
        self._sent = len(self._text)
        self._held: deque[tuple[int, int]] = deque()  # (token, characters of text up to its end)
        self._limit = self._sent
        self._over = False  # a stop string or a rule ended the text
        self._refused_by = ""

    def push(self, token: int) -> Reason | None:
        """Adds a generated token. STOP: a stop string is complete; REFUSED: a rule matches; None: neither."""
        old = len(self._text)
        added = self._decoder.decode(self._bytes(token))
        whole = not self._decoder.getstate()[0]
        if added:
            self._text += added
        self._held.append((token, len(self._text) if whole else _INSIDE_A_CHARACTER))
        if not added:
            return None
        known = len(self._raw)
        cut = self._find_stop(old)
        if cut >= 0:
            self._over = True
            self._text = self._text[:cut]
            self._raw = self._text.encode() if self._rules else b""
            return self._update_limit(min(known, len(self._raw)), final=True) or Reason.STOP
        if self._rules:
            self._raw += added.encode()
        return self._update_limit(known, final=False)

    def take(self, last: int | None = None) -> Piece | None:
        """Returns a piece of all tokens that may be emitted now, up to number `last`, or None."""
        held = self._held
        count = place = 0
        for i, (_, end) in enumerate(held):
            if end > self._limit or (last is not None and self.seq + i >= last):
                break
            if end != _INSIDE_A_CHARACTER:
                count, place = i + 1, end
        if not count:
            return None
        after = self.seq
        self.seq += count
        ids = tuple(held.popleft()[0] for _ in range(count))
        piece = Piece(after, self.seq, self._text[self._sent : place], ids)
        self._sent = place
        return piece

    def finish(self, reason: Reason) -> tuple[Reason, str]:
        """Ends the text, so that the rest may be taken; returns the reason to report, and the rule's id for
        REFUSED.

        A rule that matches only now, at the end of the text, turns STOP, LENGTH and CALLS into REFUSED and
        withholds the rest; a reply that was stopped or failed stays so, and withholds it as well.
        """
        if not self._over:
            known = len(self._raw)
            if reason is Reason.LENGTH and self._held and self._held[-1][1] == _INSIDE_A_CHARACTER:
                half = self._decoder.decode(b"", final=True)
                self._text += half
                self._raw += half.encode() if self._rules else b""
                self._held[-1] = (self._held[-1][0], len(self._text))
            refused = self._update_limit(known, final=True)
            if refused and reason in (Reason.STOP, Reason.LENGTH, Reason.CALLS):
                reason = refused
        return reason, self._refused_by if reason is Reason.REFUSED else ""

    def _bytes(self, token: int) -> bytes:
        if not self._first:
            return self._piece_bytes(token, False)
        self._first = not self._piece_bytes(token, False)
        return self._piece_bytes(token, True)

    def _update_limit(self, known: int, *, final: bool) -> Reason | None:
        """Moves the limit to the certain text; REFUSED if a rule matches. `known`: bytes searched before."""
        limit = len(self._text) if final else len(self._text) - self._reserve()
        if self._rules:
            found = self._rules.search(self._raw, known=known, hold_back=self._hold_back, final=final)
            if found and found.settled:
                self._refused_by = found.rule_id
                self._held.clear()
                self._over = True
                return Reason.REFUSED
            if found:
                limit = min(limit, len(self._raw[: found.finding.start].decode("utf-8", "ignore")))
        self._limit = max(self._limit, limit)
        return None

    def _reserve(self) -> int:
        """Returns how many characters at the end are uncertain: hold-back, or a stop string's beginning."""
        longest = 0
        for stop in self._stops:
            for size in range(min(len(stop) - 1, len(self._text)), longest, -1):
                if self._text.endswith(stop[:size]):
                    longest = size
                    break
        return max(longest, self._hold_back)

    def _find_stop(self, old: int) -> int:
        """Returns where the first stop string begins that ends in the text after `old`, or -1."""
        found = [self._text.find(stop, max(0, old - len(stop) + 1)) for stop in self._stops]
        return min((at for at in found if at >= 0), default=-1)
