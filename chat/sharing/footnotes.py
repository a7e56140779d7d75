"""Adds footnotes to markdown-it: `[^1]` in text, and `[^1]: text` on lines of its own.

They are numbered at the end of the text, in the order in which they are first referred to; those that nothing
refers to come last. The rules are those of static/js/markdown/footnotes.js.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.utils.html import escape
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType

REFERENCE = re.compile(r"\[\^([^\]\[^\s]{1,40})\]")
DEFINITION = re.compile(r"\[\^([^\]\[^\s]{1,40})\]:[ \t]*")
OTHER_BLOCK = re.compile(r"#{1,6}\s|>|`{3}|~{3}|[-*+]\s|\d{1,9}[.)]\s|\||\[\^|</?details\b", re.IGNORECASE)


@dataclass
class Note:
    label: str
    tokens: list[Token]
    number: int = 0  # 0: nothing refers to it


def add_notes(made: MarkdownIt) -> None:
    made.block.ruler.before(
        "reference", "note", _note, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    made.inline.ruler.before("link", "note_reference", _reference)
    made.core.ruler.after("inline", "notes", _collect)
    made.add_render_rule("note_reference", _render_reference)


def _note(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parses a note and its lines; it renders nothing where it is written."""
    if state.is_code_block(start):
        return False
    begun = DEFINITION.match(state.src, state.bMarks[start] + state.tShift[start], state.eMarks[start])
    if not begun:
        return False
    if silent:
        return True
    after = _end_of_note(state, start, end)
    lines = state.getLines(start, after, state.blkIndent, False).split("\n")
    text = "\n".join(
        [begun.string[begun.end() : state.eMarks[start]], *(_outdented(each) for each in lines[1:])]
    )
    tokens: list[Token] = []
    note = Note(begun[1].lower(), tokens)
    state.env["notes"].append(note)
    state.env["by_label"].setdefault(note.label, note)
    state.md.block.parse(text, state.md, {**state.env, "looked": {}}, tokens)
    state.line = after
    return True


def _end_of_note(state: StateBlock, start: int, end: int) -> int:
    """Returns the index after the last line of the note: one that is indented or continues a paragraph."""
    last, blank = start + 1, False
    for line in range(start + 1, end):
        if state.isEmpty(line):
            blank = True
        elif state.sCount[line] < state.blkIndent:
            break
        elif state.sCount[line] - state.blkIndent >= 2 or (
            not blank and not OTHER_BLOCK.match(state.src, state.bMarks[line] + state.tShift[line])
        ):
            last = line + 1
        else:
            break
    return last


def _outdented(line: str) -> str:
    return re.sub(r"^(?: {1,4}|\t)", "", line)


def _reference(state: StateInline, silent: bool) -> bool:
    """Parses a reference, only if its note exists (blocks are parsed before text); links contain none."""
    found = None if silent or state.linkLevel else REFERENCE.match(state.src, state.pos)
    if not found or found[1].lower() not in state.env["by_label"]:
        return False
    token = state.push("note_reference", "", 0)
    token.content = found[0]
    token.meta = {"label": found[1].lower()}
    state.pos = found.end()
    return True


def _collect(state: StateCore) -> None:
    """Puts the notes below the text."""
    written: list[Note] = state.env["notes"]
    by_label: dict[str, Note] = state.env["by_label"]
    if not written:
        return
    for note in written:
        for token in note.tokens:
            if token.type == "inline" and token.children is not None:
                state.md.inline.parse(token.content, state.md, state.env, token.children)
    ordered: list[Note] = []
    _number(state.tokens, by_label, ordered, set())
    seen = {token.meta["id"] for token in _references(state.tokens)}
    for note in ordered:  # which grows
        _number(note.tokens, by_label, ordered, seen)
    state.tokens += _list([*ordered, *(note for note in written if not note.number)], state.env)


def _references(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        if token.type == "note_reference":
            yield token
        elif token.children:
            yield from _references(token.children)


def _number(tokens: list[Token], by_label: dict[str, Note], ordered: list[Note], seen: set[int]) -> None:
    for token in _references(tokens):
        note = by_label[token.meta["label"]]
        if not note.number:
            ordered.append(note)
            note.number = len(ordered)
        first = note.number not in seen
        seen.add(note.number)
        token.meta |= {"number": note.number, "id": note.number, "first": first}


def _list(notes: list[Note], env: EnvType) -> Iterator[Token]:
    yield Token("notes_open", "div", 1, attrs={"class": "notes"}, block=True)
    yield Token("ordered_list_open", "ol", 1, block=True)
    for place, note in enumerate(notes, 1):
        yield Token("list_item_open", "li", 1, attrs={"id": _address(env, place)}, block=True)
        yield from note.tokens
        if note.number:
            target, label = f"#{_address(env, place)}-back", escape(_("Back to the text"))
            back = f'<a class="note-back" href="{target}" aria-label="{label}">↩</a>'
            yield Token("html_block", "", 0, content=back)
        yield Token("list_item_close", "li", -1, block=True)
    yield Token("ordered_list_close", "ol", -1, block=True)
    yield Token("notes_close", "div", -1, block=True)


def _address(env: EnvType, number: int) -> str:
    """Returns the anchor of a note; `place` is the index of the text among those of the page."""
    return f"note-{env.get('place', 0)}-{number}"


def _render_reference(self: object, tokens: list[Token], at: int, _options: object, env: EnvType) -> str:
    meta = tokens[at].meta
    if "number" not in meta:
        return str(escape(tokens[at].content))  # inside a note without a reference
    address = _address(env, meta["number"])
    own = f' id="{address}-back"' if meta["first"] else ""
    return f'<sup class="note-ref"><a href="#{address}"{own}>{meta["number"]}</a></sup>'
