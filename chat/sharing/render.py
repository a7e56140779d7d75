"""Shared text as HTML, made on the server so that the page needs no script.

Markdown is parsed with raw HTML off, images are turned into links, links say where they lead (all as in
static/js/markdown.js), and whatever came of it passes nh3 last: what leaves this file holds only the tags
below. The page's CSP stands behind it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Iterator
from urllib.parse import urlsplit

import nh3
from django.core.cache import cache
from django.utils.html import escape, linebreaks
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

TAGS = {
    *("p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a", "span"),
    *("h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
# Without the star nh3 lets title and lang through.
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}, "*": set[str]()}
CLASSES = {"span": {"host"}}
SCHEMES = {"http", "https", "mailto"}
MARKDOWN_CHARS = 40_000  # longer replies are shown as typed; up to here the worst of them take a second or so
KEPT_SECONDS = 600  # anybody with the address may ask for a page as often as they like


def reply_html(text: str) -> SafeString:
    """What the model wrote: markdown."""
    if len(text) > MARKDOWN_CHARS:
        return prompt_html(text)
    return _sanitised(_markdown.render(text))


def replies_html(texts: list[str]) -> list[SafeString]:
    """`reply_html` of each, made once and then kept for a while; without Redis they are made anew."""
    keys = [f"reply-html:{get_language()}:{hashlib.sha256(text.encode()).hexdigest()}" for text in texts]
    kept: dict[str, str] = {}
    try:
        kept = cache.get_many(keys) if keys else {}
    except RedisError:
        log.warning("a shared page is made anew: Redis does not answer")
    made = {key: str(reply_html(text)) for key, text in zip(keys, texts, strict=True) if key not in kept}
    if made:
        with contextlib.suppress(RedisError):
            cache.set_many(made, KEPT_SECONDS)
    html = {**kept, **made}
    return [mark_safe(html[key]) for key in keys]  # noqa: S308 - the sanitiser's own output, kept


def prompt_html(text: str) -> SafeString:
    """What a person wrote: as typed. One line of HTML, so that pre-wrap shows no line twice."""
    return _sanitised(linebreaks(text, autoescape=True).replace("\n", ""))


def _sanitised(html: str) -> SafeString:
    clean = nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        allowed_classes=CLASSES,
        url_schemes=SCHEMES,
        link_rel="noopener noreferrer nofollow ugc",
    )
    return mark_safe(clean)  # noqa: S308 - this is the sanitiser's own output


# --- Markdown ---------------------------------------------------------------------------------------------


def _adapt(state: StateCore) -> None:
    """Headings go below the page's own title; images and links become what is described above."""
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
        elif token.children:
            token.children = list(_adapted(token.children))


def _adapted(tokens: list[Token]) -> Iterator[Token]:
    place = ""  # where the link leads that is open just now
    label = ""
    for token in tokens:
        if token.type == "link_open":
            place, label = _destination(str(token.attrGet("href") or "")), ""
            if place:
                yield token
        elif token.type == "link_close":
            if place:
                yield token
                yield from _host(place, label)
            place = ""
        elif token.type == "image":
            yield from _image(token, linked=bool(place))
        else:
            label += token.content
            yield token


def _image(image: Token, *, linked: bool) -> Iterator[Token]:
    """A remote image would tell its server who reads the page."""
    label = _("Image: %(name)s") % {"name": image.content or _("no description")}
    source = str(image.attrGet("src") or "")
    place = "" if linked else _destination(source)
    if place:
        yield Token("link_open", "a", 1, attrs={"href": source})
    yield Token("text", "", 0, content=label)
    if place:
        yield Token("link_close", "a", -1)
        yield from _host(place, "")


def _host(place: str, label: str) -> Iterator[Token]:
    """Beside a link whose own words do not say where it leads."""
    label = label.strip()
    said = [label, *(_destination(each) for each in (label, f"https://{label}") if "@" not in each)]
    if place not in said:
        yield Token("html_inline", "", 0, content=f' <span class="host">({escape(place)})</span>')


def _destination(address: str) -> str:
    """Host or mail address; "" for what is no address outside: a relative one would point into this site."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    if parts.scheme not in SCHEMES or any(c.isspace() for c in address):
        return ""
    return parts.path if parts.scheme == "mailto" else parts.netloc.rpartition("@")[2]


_markdown = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
_markdown.core.ruler.push("grokweb", _adapt)
