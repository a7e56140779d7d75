"""Turns the Markdown of models into HTML that is not yet sanitised (chat/sharing/render.py does that).

It follows the rules of static/js/markdown/markdown.js: raw HTML stays text, images are turned into links,
links say where they lead. Formulas become `<code class="math">` and code keeps its language, so that
static/js/pages/reading.js can set both where scripts run.
Every rule is cheap on hostile text too: whoever knows an address may ask for a
page as often as they like.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from django.utils.html import escape
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from chat.sharing.addresses import Address, addresses
from chat.sharing.collapsible import add_collapsible
from chat.sharing.direction import set_directions
from chat.sharing.emphasis import InlineParser
from chat.sharing.footnotes import add_notes

CELL_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE | re.ASCII)
SCHEMES = {"http", "https", "mailto"}
ADDRESS_CHARS = 100_000  # characters of all links of one text; only many repetitions of one address exceed it


def to_html(text: str, place: int = 0) -> str:
    """Renders a reply; `place`, its index on the page, keeps its footnotes apart from those of other
    texts.
    """
    return str(_markdown.render(text, {"place": place, "notes": [], "by_label": {}, "references": {}}))


# --- Links and images -------------------------------------------------------------------------------------


def _adapt(state: StateCore) -> None:
    """Headings go below the page's own title; images, links and tables become what is described above."""
    left = [ADDRESS_CHARS]
    for place, token in enumerate(state.tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
        elif token.type in ("th_open", "td_open"):
            side = str(token.attrs.pop("style", "")).removeprefix("text-align:")
            token.attrs.update({"align": side} if side else {})
        elif token.type == "code_block":
            token.type, token.attrs["dir"] = "fence", "ltr"
        elif token.type == "fence":
            token.attrs["dir"] = "ltr"
            name = re.match(r"[\w+#-]{1,20}", token.info.strip(), re.ASCII)
            token.info = name[0].lower() if name else ""
        elif token.children:
            if place >= 2 and state.tokens[place - 2].type == "list_item_open":
                token.children = list(_ticked(token.children))
            _settle_breaks(token.children, in_cell=state.tokens[place - 1].type in ("th_open", "td_open"))
            token.children = list(_adapted(token.children, left))
    set_directions(state.tokens)


def _settle_breaks(tokens: list[Token], *, in_cell: bool) -> None:
    for token in tokens:
        if token.type == "cell_break":
            token.type = "hardbreak" if in_cell else "text"


def _ticked(tokens: list[Token]) -> Iterator[Token]:
    """Returns the checkbox at the beginning of a task in a list."""
    first = tokens[0]
    box = re.match(r"\[([ xX])\] ", first.content) if first.type == "text" else None
    if box:
        sign = "☐" if box[1] == " " else "☑"
        yield Token("html_inline", "", 0, content=f'<span class="task">{sign}</span> ')
        first.content = first.content[4:]
    yield from tokens


def _adapted(tokens: list[Token], left: list[int]) -> Iterator[Token]:
    """Changes tokens for shared pages. `left` counts down the characters that addresses may use; later links
    are text.
    """
    place = ""  # the destination of the current link
    label = ""
    for token in tokens:
        if token.type == "link_open":
            address, label = str(token.attrGet("href") or ""), ""
            left[0] -= len(address)
            place = _destination(address) if left[0] >= 0 else ""
            if place:
                yield token
        elif token.type == "link_close":
            if place:
                yield token
                yield from _host(place, label)
            place = ""
        elif token.type == "image":
            left[0] -= len(str(token.attrGet("src") or ""))
            yield from _image(token, linked=bool(place) or left[0] < 0)
        else:
            label += token.content
            if token.type == "code_inline":
                token.attrs["dir"] = "ltr"
            yield token


def _image(image: Token, *, linked: bool) -> Iterator[Token]:
    """Replaces an image by a link: a remote image would tell its server who reads the page."""
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
    """Returns the host to show beside a link whose text does not say where it leads."""
    label = label.strip()
    said = [label, *(_destination(each) for each in (label, f"https://{label}") if not _names_somebody(each))]
    if place not in said or not label.isascii():  # letters may be look-alikes
        yield Token("html_inline", "", 0, content=f' <span class="host">({escape(place)})</span>')


def _names_somebody(address: str) -> bool:
    """Returns whether a user name precedes the host, as in https://bank.example@evil.example."""
    return "@" in re.split("[/?#]", address.partition("://")[2], maxsplit=1)[0]


def _destination(address: str) -> str:
    """Returns the host or mail address; "" for an address that is not external: a relative one would point
    into this site.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    if parts.scheme not in SCHEMES or any(c.isspace() or c == "\\" for c in address):
        return ""
    return parts.path if parts.scheme == "mailto" else _host_of(parts.netloc)


def _host_of(netloc: str) -> str:
    """Returns the host as a browser reads it, with other full stops as dots."""
    return re.sub("[\u3002\uff0e\uff61]", ".", netloc.rpartition("@")[2]).lower()


# --- Addresses among the words ----------------------------------------------------------------------------


def _addresses(state: StateInline) -> dict[int, Address]:
    """Looks for them once for each text."""
    found: dict[int, Address] | None = state.__dict__.get("addresses")
    if found is None:
        found = state.__dict__["addresses"] = addresses(state.src)
        state.__dict__["places"] = sorted(found)
    return found


def _address(state: StateInline, silent: bool) -> bool:
    """Turns a plain address into a link; it contains neither formulas nor emphasis."""
    address = None if silent or state.linkLevel else _addresses(state).get(state.pos)
    if address is None or address.end > state.posMax:
        return False
    state.push("link_open", "a", 1).attrs = {"href": state.md.normalizeLink(address.href)}
    state.push("text", "", 0).content = state.src[address.start : address.end]
    state.push("link_close", "a", -1)
    state.pos = address.end
    return True


def _text(state: StateInline, silent: bool) -> bool:
    """Consumes text up to the next character that may be markup, or to the next address."""
    _addresses(state)
    places = state.__dict__["places"]
    stop = state.md.inline.terminator_re.search(state.src, state.pos)
    end = min(stop.start() if stop else state.posMax, state.posMax)
    following = bisect_right(places, state.pos)
    if following < len(places):
        end = min(end, places[following])
    if end <= state.pos:
        return False
    if not silent:
        state.append_pending(state.src[state.pos : end])
    state.pos = end
    return True


def _cell_break(state: StateInline, silent: bool) -> bool:
    """Parses `<br>` as a line break in a table cell, which has no other; elsewhere it is text, like all
    HTML.
    """
    found = CELL_BREAK.match(state.src, state.pos)
    if not found or found.end() > state.posMax:
        return False
    if not silent:
        state.push("cell_break", "", 0).content = found[0]
    state.pos = found.end()
    return True


# --- Formulas ---------------------------------------------------------------------------------------------

PAIRS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
BLOCKS = ("\\[", "$$")
# Amounts and variables are not formulas: no space inside the dollar signs, no letter or digit outside them.
# Longer ones are not formulas.
BETWEEN_DOLLARS = re.compile(
    r"(?<![A-Za-z0-9])\$(?![\s$?@#!])((?:\\.|[^\\$\n]){0,3999}?[^\s\\$])\$(?![A-Za-z0-9$])"
)
PROSE = re.compile(  # "$5 or 10$", "$HOME or $"
    r"(?:[\d.,]+|[A-Z][A-Z0-9_]+)(?!\w)[^\\^{}=<>+]*\s(?!mod\b)[A-Za-z]{2}[^\\^{}=<>+]*", re.ASCII
)


def _add(state: StateInline | StateBlock, source: str, *, block: bool) -> None:
    token = state.push("code_inline", "code", 0)
    token.attrs = {"class": "math block" if block else "math", "dir": "ltr"}
    token.content = source.strip()


def _is_shell(found: re.Match[str]) -> bool:
    """Returns whether the dollar signs belong to amounts or variables: "$5 or 10$", "${A}/${B}"."""
    body, after = found[1], found.string[found.end() : found.end() + 1]
    return bool(PROSE.fullmatch(body)) or (body[0] in "({" and after == body[0])


def _formula_inline(state: StateInline, silent: bool) -> bool:
    """Parses a formula inside text."""
    opening = state.src[state.pos : state.pos + 2]
    if closing := PAIRS.get(opening):
        end = state.src.find(closing, state.pos + 2)
        body = state.src[state.pos + 2 : end] if end >= 0 else ""
        end += 2
    elif (found := BETWEEN_DOLLARS.match(state.src, state.pos)) and not _is_shell(found):
        body, end = found[1], found.end()
    else:
        return False
    if (
        not body.strip() or end > state.posMax or "](" in body
    ):  # a formula cannot contain the end of a link's text
        return False
    if not silent:
        _add(state, body, block=opening in BLOCKS)
    state.pos = end
    return True


def _formula_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parses a formula on lines of its own, in which nothing is a list or a heading."""
    if state.is_code_block(start):
        return False
    opening = _line(state, start)[:2]
    if opening not in BLOCKS:
        return False
    last = _last_line(state, start, end, PAIRS[opening])
    if last is None:
        return False
    body = "\n".join(_line(state, line) for line in range(start, last + 1)).strip()[2:-2]
    if not body.strip():
        return False
    if not silent:
        state.line = last + 1
        state.push("formula_open", "p", 1).map = [
            start,
            state.line,
        ]  # a paragraph would be hidden in a tight list
        _add(state, body, block=True)
        state.push("formula_close", "p", -1)
    return True


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _last_line(state: StateBlock, start: int, end: int, closing: str) -> int | None:
    """Returns the line that ends with `closing`, if only the formula precedes it."""
    looked = state.env.setdefault("looked", {})  # so that each line is examined once
    within = closing, state.blkIndent, end
    first, last = looked.get(within, (0, 0))
    if first <= start < last:
        return None
    for line in range(start, end):
        text = _line(state, line).rstrip()
        if not text or (
            line > start and state.sCount[line] < state.blkIndent
        ):  # the end of the enclosing block
            break
        at = text.find(closing, 2 if line == start else 0)
        if at >= 0:
            if at + 2 == len(text):
                return line
            break
    else:
        line = end
    looked[within] = start, line
    return None


def _table_open(renderer: RendererHTML, tokens: Sequence[Token], idx: int, *_given: object) -> str:
    return f'<div class="table"><table{renderer.renderAttrs(tokens[idx])}>\n'


def _any(url: str) -> bool:
    """Takes every address as one: _destination() decides, and what leads nowhere outside is its words."""
    return True


def _made() -> MarkdownIt:
    # Models break lines deliberately.
    made = MarkdownIt("commonmark", {"html": False, "breaks": True})
    made.inline = InlineParser()
    made.configure("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    made.validateLink = _any  # type: ignore[method-assign]
    made.core.ruler.push("grokweb", _adapt)
    made.inline.ruler.at("text", _text)
    made.inline.ruler.before("escape", "formula", _formula_inline)
    made.inline.ruler.before("text", "address", _address)
    made.inline.ruler.before("autolink", "cell_break", _cell_break)
    made.block.ruler.before("fence", "formula", _formula_block, {"alt": ["paragraph", "blockquote", "list"]})
    add_notes(made)
    add_collapsible(made)
    made.add_render_rule("table_open", _table_open)
    made.add_render_rule("table_close", lambda *_given: "</table></div>\n")
    return made


_markdown = _made()
