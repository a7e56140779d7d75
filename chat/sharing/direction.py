"""Gives each block its direction by its first letter, as static/js/markdown/direction.js does.

Letters of code and formulas do not count: they always run from left to right.
"""

from __future__ import annotations

import unicodedata

from markdown_it.token import Token

WORDS = {"paragraph_open", "heading_open", "th_open", "td_open", "summary_open"}
BLOCKS = {
    *("blockquote_open", "bullet_list_open", "ordered_list_open", "list_item_open", "table_open"),
    "details_open",
}


def set_directions(tokens: list[Token]) -> None:
    """Sets `dir`: "auto" for a block of words; for one that holds blocks that of its first letter.

    A browser does not look into blocks that have a direction of their own. Without a letter there is none, so
    that a number stands where its list or table begins.
    """
    open_blocks: list[Token] = []  # blocks in which no letter was found yet
    depth: list[Token] = []
    words: Token | None = None
    for token in tokens:
        if token.type in WORDS:
            words = token
        elif token.type in BLOCKS:
            open_blocks.append(token)
            depth.append(token)
        elif token.type.removesuffix("_close") + "_open" in BLOCKS and token.nesting < 0:
            closed = depth.pop()
            if open_blocks and open_blocks[-1] is closed:
                open_blocks.pop()
        elif token.type == "inline" and (letter := _first_letter(token.children or [])):
            if words:
                words.attrSet("dir", "auto")
            for block in open_blocks:
                block.attrSet("dir", direction_of(letter))
            open_blocks.clear()


def direction_of(letter: str) -> str:
    return "rtl" if unicodedata.bidirectional(letter) in ("R", "AL") else "ltr"


def _first_letter(tokens: list[Token]) -> str:
    for token in tokens:
        for char in token.content if token.type == "text" else "":
            if unicodedata.category(char)[0] == "L":
                return char
    return ""
