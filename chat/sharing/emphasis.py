"""Pairs `**` beside Chinese, Japanese and Korean where no space is, as static/js/markdown/emphasis.js does.

CommonMark wants a space or a sign outside a mark that has a sign inside, so `是**“模式”**。` would keep its
asterisks. Where the neighbour is a letter or sign of these scripts, none is wanted.
"""

from __future__ import annotations

import re
import unicodedata

from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Scanned
from markdown_it.token import Token
from markdown_it.utils import EnvType

UNSPACED = re.compile(
    "[\u1100-\u11ff\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)


def _is_space(char: str) -> bool:
    return char in "\t\n\v\f\r" or unicodedata.category(char) == "Zs"


def _is_sign(char: str) -> bool:
    return unicodedata.category(char)[0] in "PS"


def flanking(before: str, after: str, *, splits_words: bool) -> tuple[bool, bool]:
    """Returns whether a run of marks between the two characters may begin emphasis, and may end it."""

    def loose(char: str) -> bool:
        return _is_space(char) or _is_sign(char) or bool(UNSPACED.match(char))

    def strict(char: str) -> bool:
        return _is_sign(char) and not UNSPACED.match(char)

    left = not _is_space(after) and (not strict(after) or loose(before))
    right = not _is_space(before) and (not strict(before) or loose(after))
    return (
        left and (splits_words or not right or _is_sign(before)),
        right and (splits_words or not left or _is_sign(after)),
    )


class _State(StateInline):
    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:
        mark, end = self.src[start], start
        while end < self.posMax and self.src[end] == mark:
            end += 1
        before = self.src[start - 1] if start else " "
        after = self.src[end] if end < self.posMax else " "
        return Scanned(*flanking(before, after, splits_words=canSplitWord), end - start)


class InlineParser(ParserInline):
    """The inline parser of markdown-it, with the rule above."""

    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        state = _State(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens
