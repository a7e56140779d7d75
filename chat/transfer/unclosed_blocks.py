"""Closes what a text in Markdown leaves open, so that what is written below it stays text.

An answer that was stopped inside code, or a person's single fence, would make code of all that follows; an
HTML comment would hide it. Only the blocks of CommonMark that do not end with a blank line matter, and only
outside lists and quotes, which end by themselves. One pass over the lines: markdown-it takes seconds for
hostile texts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from markdown_it.rules_block.html_block import HTML_SEQUENCES

DEEPEST = 50  # nesting depth of lists and quotes

_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_QUOTE = re.compile(r" {0,3}> ?")
_ITEM = re.compile(r" {0,3}(?:[-+*]|(\d{1,9})[.)])(?: +|$)")
_RULE = re.compile(r" {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+) *$")
_HEADING = re.compile(r" {0,3}#{1,6}(?: |$)")
_LINES = re.compile(r"\r\n?|\n")

# What ends markdown-it's pieces of HTML, in their order. The last two end with a blank line.
_HTML_ENDS = ("</{}>", "-->", "?>", ">", "]]>", "", "")
_TAG = re.compile(r"<(\w+)")


@dataclass(frozen=True, slots=True)
class _Block:
    """A code fence or a block of HTML."""

    ends: re.Pattern[str]
    end: str  # the line that would end it; empty if a blank one does


def _block(line: str, in_paragraph: bool) -> _Block | None:
    """Returns the block that begins with this line, unless the line also ends it."""
    fence = _FENCE.match(line)
    if fence:
        return _Block(re.compile(rf"^ {{0,3}}{fence[1][0]}{{{len(fence[1])},}} *$"), fence[1])
    line = line.strip(" ")
    if not line.startswith("<"):
        return None
    for (begins, ends, may_interrupt), end in zip(HTML_SEQUENCES, _HTML_ENDS, strict=True):
        if begins.search(line) and (may_interrupt or not in_paragraph):
            name = _TAG.match(line)
            return _Block(ends, end.format(name[1] if name else ""))
    return None


def closed(text: str) -> str:
    """Returns `text`, followed by a line that ends a block still open."""
    if not any(sign in text for sign in ("```", "~~~", "<")):
        return text
    reading = _Reading()
    for line in _LINES.split(text):
        reading.read(line.expandtabs(4))
    end = reading.block.end if reading.block and not reading.around else ""
    if not end:
        return text
    return f"{text}{'' if text.endswith(chr(10)) else chr(10)}{end}"


@dataclass(slots=True)
class _Reading:
    """Follows which block a CommonMark parser is in after some lines."""

    around: list[int] = field(default_factory=list)  # open quotes (0) and list items (their indentation)
    block: _Block | None = None  # open in them
    in_paragraph: bool = False
    item_is_empty: bool = False  # the innermost item has nothing but its sign so far

    def read(self, line: str) -> None:
        matched, rest = self._inside(line)
        rest = rest if rest.strip() else ""
        if self.block and (matched == len(self.around) or not (rest or self.block.ends.search(""))):
            if self.block.ends.search(rest):
                self.block = None
            return
        if self.block:  # it ended with the list or quote around it
            self.block = None
            del self.around[matched:]
        was_empty, self.item_is_empty = self.item_is_empty, False
        if rest:
            self._text(matched, rest)
        else:
            if was_empty and matched == len(self.around):  # an item begins with one blank line at most
                matched -= 1
            del self.around[matched:]
            self.in_paragraph = False

    def _inside(self, line: str) -> tuple[int, str]:
        """Counts the quotes and items around that go on in this line; returns the rest of the line."""
        for number, width in enumerate(self.around):
            if width == 0:
                sign = _QUOTE.match(line)
                if not sign:
                    return number, line
                line = line[sign.end() :]
            elif line.strip():
                if not line.startswith(" " * width):
                    return number, line
                line = line[width:]
        return len(self.around), line

    def _text(self, matched: int, rest: str) -> None:
        keep = matched
        while len(rest) - len(rest.lstrip(" ")) < 4 and keep < DEEPEST:
            width, rest = self._container(rest, goes_on=keep == matched == len(self.around))
            if width is None:
                break
            del self.around[keep:]
            self.around.append(width)
            self.in_paragraph = False
            keep += 1
            if not rest.strip():
                self.item_is_empty = width > 0
                return
        if self.in_paragraph and keep == len(self.around) and _UNDERLINE.match(rest):
            self.in_paragraph = False
            return
        indented = rest.startswith("    ")
        if not indented and (_RULE.match(rest) or _HEADING.match(rest) or self._opens(rest)):
            del self.around[keep:]
            self.in_paragraph = False
        elif not self.in_paragraph:
            del self.around[keep:]
            self.in_paragraph = not indented
        # Otherwise the line continues the paragraph (lazy continuation).

    def _container(self, rest: str, *, goes_on: bool) -> tuple[int | None, str]:
        """Returns the quote (0) or list item (its indentation) that begins here, and the rest of the line."""
        sign = _QUOTE.match(rest)
        if sign:
            return 0, rest[sign.end() :]
        sign = None if _RULE.match(rest) else _ITEM.match(rest)
        if not sign:
            return None, rest
        after = rest[sign.end() :]
        if goes_on and self.in_paragraph and (not after or sign[1] not in (None, "1")):
            return None, rest
        marker = len(sign[0].rstrip(" "))
        width = len(sign[0]) if after and len(sign[0]) - marker < 5 else marker + 1
        return width, rest[width:]

    def _opens(self, rest: str) -> bool:
        self.block = _block(rest, self.in_paragraph)
        if self.block and self.block.ends.search(rest) and not self.block.end.startswith(("`", "~")):
            self.block = None
            return True
        return self.block is not None
