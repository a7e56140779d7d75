"""Shared text as HTML, made on the server: the page can be read without a script.

Whatever came of the Markdown (chat/sharing/markdown.py) passes nh3 last: what leaves this file holds only the
tags below. The page's CSP stands behind it. Long texts are made in a process of their own (render_jobs.py).
"""

from __future__ import annotations

import re

import nh3
from django.utils.html import linebreaks
from django.utils.safestring import SafeString, mark_safe

from chat.sharing.markdown import SCHEMES, to_html

TAGS = {
    *("p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a", "span"),
    *("div", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
# Without the star nh3 lets title and lang through.
ATTRIBUTES = {
    "a": {"href"},
    "ol": {"start"},
    "code": {"class"},
    "th": {"align"},
    "td": {"align"},
    "*": set[str](),
}
CLASSES = {"span": {"host", "task"}, "div": {"table"}}
CODE_CLASS = re.compile(r"math( block)?|language-[\w+#-]{1,20}", re.ASCII)
MARKDOWN_CHARS = 40_000  # longer replies are shown as typed; up to here the worst of them take a second or so


class TooMuch(Exception):
    """The HTML of a text would be longer than allowed."""


def reply_html(text: str, limit: int | None = None) -> SafeString:
    """Renders the model's Markdown. Raises TooMuch for HTML of more than `limit` characters."""
    if len(text) > MARKDOWN_CHARS:
        return prompt_html(text)
    html = to_html(text)
    if limit is not None and len(html) > limit:  # before it costs memory once more
        raise TooMuch
    return _sanitised(html)


def prompt_html(text: str) -> SafeString:
    """What a person wrote: as typed. One line of HTML, so that pre-wrap shows no line twice."""
    return _sanitised(linebreaks(text, autoescape=True).replace("\n", ""))


def _filtered(tag: str, name: str, value: str) -> str | None:
    """Of the classes of code only ours stay; those of other tags are in CLASSES."""
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
