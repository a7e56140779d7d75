"""The parts of a step in order: text of the answer, and stretches of other kinds (`contract.Kind`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

from chat.turns.models import Generation, Part
from inference.contract import Kind, Piece


def storable(text: str) -> str:
    """Returns text without NUL and without halves of characters: a model can write both, as the escapes of
    JSON, and databases cannot store them."""
    text = text.replace("\x00", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:  # two halves that stand together are a character
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def stretches(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Joins consecutive pieces of one kind."""
    for kind, group in groupby(pieces, key=lambda piece: piece.kind):
        joined = list(group)
        text = "".join(piece.text for piece in joined)
        duration = sum(piece.duration_ms for piece in joined)
        run = joined[0].run
        yield Piece(joined[0].after, joined[-1].seq, text, (), kind=kind, run=run, duration_ms=duration)


def parts_of(generation_id: UUID, pieces: Iterable[Piece], *, first: int = 0) -> list[Part]:
    """Returns the rows to store of a log: every stretch that is not text of the answer. `first` is the order
    of the first one."""
    rows: list[Part] = []
    offset = 0
    for stretch in stretches(pieces):
        if stretch.kind is Kind.TEXT:
            offset += len(storable(stretch.text))
            continue
        row = Part(
            generation_id=generation_id,
            order=first + len(rows),
            kind=stretch.kind,
            text=storable(stretch.text),
            offset=offset,
            after=stretch.after,
            seq=stretch.seq,
            duration_ms=stretch.duration_ms,
        )
        rows.append(row)
    return rows


def stored_pieces(step: Generation, text: str) -> Iterator[Piece]:
    """Returns what a settled step wrote as one piece for each stretch of one kind; `text` is its text of the
    answer, which stands between its other parts. A thought that it continues is not among them."""
    place = seq = 0
    for part in step.parts.all() if step.has_parts else ():
        if part.is_continued:
            continue
        if part.after > seq:
            yield Piece(seq, part.after, text[place : part.offset], ())
            place = part.offset
        kind = Kind.read(part.kind)
        yield Piece(part.after, part.seq, part.text, (), kind=kind, duration_ms=part.duration_ms)
        seq = part.seq
    if step.seq > seq:
        yield Piece(seq, step.seq, text[place:], ())


def parts_json(steps: Sequence[Generation], *, continued_only: bool = False) -> list[dict[str, Any]]:
    """Returns the parts of a reply for its message's JSON: `offset` counts characters of the message's text.

    `parts` of the steps that have some are loaded. `continued_only`: the thought that the reply begins with,
    not what its log has.
    """
    found: list[dict[str, Any]] = []
    for step in steps:
        parts = list(step.parts.all()) if step.has_parts else []
        for before, part in zip([None, *parts], parts, strict=False):
            if continued_only and not part.is_continued:
                continue
            if before and before.is_continued and part.kind == Kind.THOUGHT and part.after == 0:
                found[-1] = _joined(found[-1], part)
            else:
                found.append(_part_json(step, part))
    return found


def _joined(begun: dict[str, Any], part: Part) -> dict[str, Any]:
    """Returns a thought with what another reply added to it."""
    spent = begun.get("duration_ms", 0) + part.duration_ms
    return {**begun, "text": begun["text"] + part.text, **({"duration_ms": spent} if spent else {})}


def _part_json(step: Generation, part: Part) -> dict[str, Any]:
    offset = step.parameters.prefix_characters + part.offset
    told = {"kind": part.kind, "text": part.text, "offset": offset}
    return {**told, "duration_ms": part.duration_ms} if part.duration_ms else told
