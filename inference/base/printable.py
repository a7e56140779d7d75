"""Keeps text from elsewhere from controlling a terminal or beginning another line."""

from __future__ import annotations

from inference.base.lines import Line


def printable(said: str) -> str:
    """Returns a text, or a Line with its values, with "?" for each character that is not printable."""
    if isinstance(said, Line):
        return Line(said.template, {name: printable(value) for name, value in said.values.items()})
    return "".join(letter if letter.isprintable() else "?" for letter in said)
