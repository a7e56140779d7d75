"""Adds collapsible sections to markdown-it: `<details>` and `<summary>`, the only tags allowed in answers.

Their content is Markdown. The rules are those of static/js/markdown/collapsible.js.
"""

from __future__ import annotations

import re

from django.utils.translation import gettext as _
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

OPENS = re.compile(r'<details(\s+open(?:="[^"\n]*")?)?\s*>', re.IGNORECASE)
TAG = re.compile(r"<(/?)details(?:\s[^>\n]*)?>", re.IGNORECASE)
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
SUMMARY = re.compile(r"\s*<summary>((?:(?!</summary>|\n[ \t]*\n)[\s\S])*)(?:</summary>|\Z)", re.IGNORECASE)
DEEPEST = 5  # each level parses its text once more


def add_collapsible(made: MarkdownIt) -> None:
    made.block.ruler.before(
        "html_block", "collapsible", _section, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )


def _section(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    begin = state.bMarks[start] + state.tShift[start]
    depth = state.env.get("sections", 0)
    if state.is_code_block(start) or depth >= DEEPEST:
        return False
    begun = OPENS.match(state.src, begin, state.eMarks[start])
    if not begun:
        return False
    if silent:
        return True
    inside, rest, state.line = _content(state, start, end, begun.end())
    _push(state, inside, is_open=bool(begun[1]) or rest is None)
    if rest:
        state.push("paragraph_open", "p", 1)
        _words(state, rest)
        state.push("paragraph_close", "p", -1)
    return True


def _content(state: StateBlock, start: int, end: int, begin: int) -> tuple[str, str | None, int]:
    """Returns what is inside, the rest of the last line, None without a closing tag, and the line after it.

    Tags in fences, and words about tags, do not close it.
    """
    lines = [state.src[begin : state.eMarks[start]]]
    depth, fence = 1, ""
    for line in range(start, end):
        if line > start:
            if not state.isEmpty(line) and state.sCount[line] < state.blkIndent:
                return "\n".join(lines), None, line  # the end of the block that contains the section
            lines.append(state.getLines(line, line + 1, state.blkIndent, False))
        mark = FENCE.match(lines[-1]) if line > start else None
        if fence:
            if mark and mark[1].startswith(fence) and mark[1] == lines[-1].strip():
                fence = ""
        elif mark:
            fence = mark[1]
        else:
            depth, tag = _depth_after(lines[-1], depth)
            if tag:
                last = lines.pop()
                return "\n".join([*lines, last[: tag.start()]]), last[tag.end() :].strip(), line + 1
    return "\n".join(lines), None, end


def _depth_after(line: str, depth: int) -> tuple[int, re.Match[str] | None]:
    """Counts the tags of a line, up to the one that closes the section."""
    for tag in TAG.finditer(line):
        begins, ends = not line[: tag.start()].strip(), not line[tag.end() :].strip()
        if begins or (tag[1] and ends):
            depth += -1 if tag[1] else 1
        if not depth:
            return 0, tag
    return depth, None


def _push(state: StateBlock, inside: str, *, is_open: bool) -> None:
    title = SUMMARY.match(inside)
    state.push("details_open", "details", 1).attrs = {"open": ""} if is_open else {}
    state.push("summary_open", "summary", 1)
    _words(state, (title and title[1].strip()) or _("Details"))
    state.push("summary_close", "summary", -1)
    tokens: list[Token] = []
    env = {**state.env, "looked": {}, "sections": state.env.get("sections", 0) + 1}
    state.md.block.parse(inside[title.end() if title else 0 :], state.md, env, tokens)
    state.tokens.extend(tokens)
    state.push("details_close", "details", -1)


def _words(state: StateBlock, words: str) -> None:
    token = state.push("inline", "", 0)
    token.content, token.children = words, []
