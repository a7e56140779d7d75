"""Shows lines of workers and of `manage.py up` in the reader's language (inference/base/lines.py)."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import get_language, gettext

from inference.base.lines import PLACEHOLDER, Line


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line as a page shows it. `language` is "en" where its words are English, whatever the page is."""

    words: str
    language: str = ""


def shown_line(said: str) -> ShownLine:
    """Returns a line in the reader's language, or as it is: in English."""
    words = None if _reads_english() else _translated(said)
    return ShownLine(said, "en") if words is None else ShownLine(words)


def translated(said: str) -> str:
    """Returns the words alone, for texts of which they are a part."""
    return shown_line(said).words


def _reads_english() -> bool:
    return (get_language() or "en").partition("-")[0] == "en"


def _translated(said: str) -> str | None:
    """Returns None for what the catalogues do not know. Names and numbers in a line stay as they are."""
    if not isinstance(said, Line):
        return None
    template = said.template
    only_joins = not any(letter.isalpha() for letter in PLACEHOLDER.sub("", template))
    if not only_joins:
        template = gettext(template)
        if template == said.template:
            return None
    known = {name: _translated(value) for name, value in said.values.items()}
    if only_joins and not any(known.values()):
        return None
    return template % {name: known[name] or value for name, value in said.values.items()}
