"""Keeps a line of English together with what a page makes the same line from in another language.

A refusal, or why a model could not be fetched, is one line for an operator. Terminals and logs show its
English text; a page looks its template up in the catalogues (chat/core/lines.py). Where they do not know it,
as for a line of a newer worker, the page shows the English text. A template is written out in the call of
`english`, so that tests/js/test_words.py finds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Self

DEEPEST = 5  # lines within lines, as read from elsewhere
PLACEHOLDER = re.compile(r"%\((\w+)\)s")


class Line(str):
    """Keeps, with a text, the template and the values that it was made from. A value is a text, or a Line."""

    template: str
    values: Mapping[str, str]

    def __new__(cls, template: str, values: Mapping[str, str]) -> Self:
        made = super().__new__(cls, template % values)
        made.template, made.values = template, values
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.template, self.values)

    def with_replaced(self, old: str, new: str) -> Line:
        """Returns the line with a text replaced in its values."""
        return Line(self.template, {name: replace_in(value, old, new) for name, value in self.values.items()})


def english(template: str, **values: object) -> Line:
    """Returns a line; the template has `%(name)s` for each value."""
    return Line(
        template, {name: value if isinstance(value, Line) else str(value) for name, value in values.items()}
    )


def line_of(error: BaseException) -> str:
    """Returns what an error says: its Line, if it was made with one."""
    said = error.args[0] if error.args else ""
    return said if isinstance(said, Line) else str(error)


def joined(lines: Iterable[str]) -> str:
    """Returns several lines as one, with semicolons between them."""
    named = {f"line{number}": said for number, said in enumerate(lines)}
    return english("; ".join(f"%({name})s" for name in named), **named)


def replace_in(said: str, old: str, new: str) -> str:
    return said.with_replaced(old, new) if isinstance(said, Line) else said.replace(old, new)


def to_data(said: str) -> Any:
    """Returns template and values as JSON has them; None for a text that is no Line."""
    if not isinstance(said, Line):
        return None
    return {
        "template": said.template,
        "values": {name: to_data(value) or value for name, value in said.values.items()},
    }


def from_data(text: str, data: object) -> str:
    """Returns the English `text` as the Line whose data are beside it, or as it is if they are of another."""
    made = _made(data, DEEPEST, len(text))
    return made if made == text else text


def _made(data: object, depth: int, longest: int) -> str | None:
    """Returns None for what no call of `english` makes, and for more than `longest` characters: data from
    elsewhere decide neither how a value is formatted nor how long a text becomes.
    """
    if isinstance(data, str):
        return data
    if not depth or not isinstance(data, dict):
        return None
    template, given = data.get("template"), data.get("values")
    if not isinstance(template, str) or not isinstance(given, dict):
        return None
    if "%" in PLACEHOLDER.sub("", template).replace("%%", ""):
        return None
    made = {str(name): _made(value, depth - 1, longest) for name, value in given.items()}
    values = {name: value for name, value in made.items() if value is not None}
    used = PLACEHOLDER.findall(template)
    if not values.keys() >= set(used):
        return None
    if sum(len(values[name]) for name in used) + len(PLACEHOLDER.sub("", template)) > 2 * longest:
        return None  # each %% of the template counts twice here
    return Line(template, values)
