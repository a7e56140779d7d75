"""What models write, as HTML that is not yet sanitised (chat/sharing/render.py does that).

The same rules as in static/js/markdown.js: raw HTML stays text, images are turned into links, links say where
they lead. Formulas become `<code class="math">` and code keeps its language, so that static/js/reading.js can
set both where scripts run. Every rule is cheap on hostile text too: whoever knows an address may ask for a
page as often as they like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.utils.html import escape
from django.utils.translation import gettext as _
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

SCHEMES = {"http", "https", "mailto"}
ADDRESS_CHARS = 100_000  # of all links of one text; only one address named again and again has more


def to_html(text: str) -> str:
    return str(_markdown.render(text))


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
        elif token.type == "fence":
            name = re.match(r"[\w+#-]{1,20}", token.info.strip(), re.ASCII)
            token.info = name[0].lower() if name else ""
        elif token.children:
            if place >= 2 and state.tokens[place - 2].type == "list_item_open":
                token.children = list(_ticked(token.children))
            token.children = list(_adapted(token.children, left))


def _ticked(tokens: list[Token]) -> Iterator[Token]:
    """The box at the beginning of a task in a list."""
    first = tokens[0]
    box = re.match(r"\[([ xX])\] ", first.content) if first.type == "text" else None
    if box:
        sign = "☐" if box[1] == " " else "☑"
        yield Token("html_inline", "", 0, content=f'<span class="task">{sign}</span> ')
        first.content = first.content[4:]
    yield from tokens


def _adapted(tokens: list[Token], left: list[int]) -> Iterator[Token]:
    """`left` counts down the characters that addresses may still have; links beyond that are words."""
    place = ""  # where the link leads that is open just now
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
    if place not in said or not label.isascii():  # letters may only look like others
        yield Token("html_inline", "", 0, content=f' <span class="host">({escape(place)})</span>')


def _destination(address: str) -> str:
    """Host or mail address; "" for what is no address outside: a relative one would point into this site."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    if parts.scheme not in SCHEMES or any(c.isspace() or c == "\\" for c in address):
        return ""
    return parts.path if parts.scheme == "mailto" else parts.netloc.rpartition("@")[2]


# --- Addresses among the words ----------------------------------------------------------------------------

ADDRESS = re.compile(r"(?<!\w)https?://[a-z0-9][^\s<>\"`\\]*", re.IGNORECASE | re.ASCII)
AFTER_ADDRESS = "?!.,:;*_~']"  # no part of an address at its end, as on GitHub


def _address(state: StateInline, silent: bool) -> bool:
    """A plain address becomes a link; what is in it is neither a formula nor stressed. Tried at its colon."""
    if silent or state.linkLevel or not state.src.startswith("://", state.pos):
        return False
    begun = re.search(r"https?$", state.pending[-5:], re.IGNORECASE)
    found = ADDRESS.match(state.src, state.pos - len(begun[0])) if begun else None
    if not begun or not found:
        return False
    address = _without_marks(found[0])
    if not _destination(address).isascii():
        return False
    state.pending = state.pending[: -len(begun[0])]
    state.push("link_open", "a", 1).attrs = {"href": address}
    state.push("text", "", 0).content = address
    state.push("link_close", "a", -1)
    state.pos = found.start() + len(address)
    return True


def _without_marks(address: str) -> str:
    """Marks at the end belong to the sentence, as does a bracket that was opened before."""
    end, unopened = len(address), address.count(")") - address.count("(")
    while address[end - 1] in AFTER_ADDRESS or (address[end - 1] == ")" and unopened > 0):
        unopened -= address[end - 1] == ")"
        end -= 1
    return address[:end]


# --- Formulas ---------------------------------------------------------------------------------------------

PAIRS = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
BLOCKS = ("\\[", "$$")
# Prices are none: no space inside the signs, no digit after them. What is longer no page would set.
BETWEEN_DOLLARS = re.compile(r"\$(?![\s$])((?:\\.|[^\\$\n]){0,3999}?[^\s\\$])\$(?![\d$])")


def _add(state: StateInline | StateBlock, source: str, *, block: bool) -> None:
    token = state.push("code_inline", "code", 0)
    token.attrs, token.content = {"class": "math block" if block else "math"}, source.strip()


def _formula_inline(state: StateInline, silent: bool) -> bool:
    """A formula among words."""
    opening = state.src[state.pos : state.pos + 2]
    if closing := PAIRS.get(opening):
        end = state.src.find(closing, state.pos + 2)
        body = state.src[state.pos + 2 : end] if end >= 0 else ""
        end += 2
    elif found := BETWEEN_DOLLARS.match(state.src, state.pos):
        body, end = found[1], found.end()
    else:
        return False
    if not body.strip() or end > state.posMax or "](" in body:  # no formula holds the end of a link's words
        return False
    if not silent:
        _add(state, body, block=opening in BLOCKS)
    state.pos = end
    return True


def _formula_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """One that has its lines to itself: nothing in them is a list or a heading."""
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
        state.push("paragraph_open", "p", 1).map = [start, state.line]
        _add(state, body, block=True)
        state.push("paragraph_close", "p", -1)
    return True


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _last_line(state: StateBlock, start: int, end: int, closing: str) -> int | None:
    """The line that ends with `closing`, if only the formula is before it."""
    looked = state.env.setdefault("looked", {})  # so that each line is looked at once
    within = closing, state.blkIndent, end
    first, last = looked.get(within, (0, 0))
    if first <= start < last:
        return None
    for line in range(start, end):
        text = _line(state, line).rstrip()
        if not text or (line > start and state.sCount[line] < state.blkIndent):  # the end of what holds it
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


def _made() -> MarkdownIt:
    # Models break lines where they want them broken.
    made = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    made.core.ruler.push("grokweb", _adapt)
    made.inline.ruler.before("escape", "formula", _formula_inline)
    made.inline.ruler.before("formula", "address", _address)
    made.block.ruler.before("fence", "formula", _formula_block, {"alt": ["paragraph", "blockquote", "list"]})
    made.add_render_rule("table_open", lambda *_given: '<div class="table"><table>\n')
    made.add_render_rule("table_close", lambda *_given: "</table></div>\n")
    return made


_markdown = _made()
