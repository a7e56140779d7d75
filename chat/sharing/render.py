"""Renders shared text to HTML on the server, so that the page can be read without scripts.

The output of the Markdown renderer (chat/sharing/markdown.py) passes through nh3 last, which leaves only the
tags below; the page's CSP is a second barrier. Long texts are rendered in a separate process
(render_jobs.py).
"""

from __future__ import annotations

import re

import nh3
from django.utils.safestring import SafeString, mark_safe

from chat.sharing.markdown import SCHEMES, to_html
from chat.sharing.user_text import typed_html

TAGS = {
    *("p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a", "span"),
    *("div", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
    *("details", "summary", "sup"),
}
# Without the star nh3 allows title and lang.
DIRECTED = ("p", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "li", "table")
ATTRIBUTES = {
    **{tag: {"dir"} for tag in DIRECTED},
    "a": {"href", "id", "aria-label"},
    "details": {"open", "dir"},
    "li": {"dir", "id"},
    "summary": {"dir"},
    "ol": {"start", "dir"},
    "code": {"class", "dir"},
    "th": {"align", "dir"},
    "td": {"align", "dir"},
    "*": set[str](),
}
CLASSES = {"span": {"host", "task"}, "div": {"table", "notes"}, "sup": {"note-ref"}, "a": {"note-back"}}
NOTE = re.compile(r"note-\d+-\d+(-back)?", re.ASCII)
CODE_CLASS = re.compile(r"math( block)?|language-[\w+#-]{1,20}", re.ASCII)
MARKDOWN_CHARS = (
    40_000  # longer replies are shown as plain text; up to this length the worst take about a second
)


class TooMuch(Exception):
    """Raised when the HTML of a text would be longer than allowed."""


def reply_html(text: str, limit: int | None = None, *, place: int = 0) -> SafeString:
    """Renders the model's Markdown, the text at `place` of its page.

    Raises TooMuch for HTML of more than `limit` characters.
    """
    if len(text) > MARKDOWN_CHARS:
        return prompt_html(text)
    html = to_html(text, place)
    if limit is not None and len(html) > limit:  # before the sanitiser needs as much memory again
        raise TooMuch
    return _sanitised(html)


def prompt_html(text: str) -> SafeString:
    """Renders what a person wrote: as typed, with their code as code."""
    return _sanitised(typed_html(text))


def _filtered(tag: str, name: str, value: str) -> str | None:
    """Keeps our directions, ids of notes and classes of code; those of other tags are in CLASSES."""
    if name == "dir":
        return value if value in ("auto", "ltr", "rtl") else None
    if name == "id":
        return value if NOTE.fullmatch(value) else None
    if name == "href" and value.startswith("#"):
        return value if NOTE.fullmatch(value[1:]) else None
    return value if name != "class" or tag != "code" or CODE_CLASS.fullmatch(value) else None


def _sanitised(html: str) -> SafeString:
    clean = nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        allowed_classes=CLASSES,
        attribute_filter=_filtered,
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer nofollow ugc",
    )
    return mark_safe(clean)  # noqa: S308 - this is the sanitiser's own output
