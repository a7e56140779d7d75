"""Marks that services leave in the words of their models: thoughts, steps of tools, sources, documents.

Files are hostile: each function reads a text once, whatever is in it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from html import unescape
from urllib.parse import urlsplit

from chat.core.text import one_line
from chat.transfer.imported_conversation import ImportedConversation, storable

_THOUGHTS = re.compile(r"\s*<(think|thinking|thought|reasoning)>", re.IGNORECASE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_BLOCK = re.compile(r'\s*<details\b[^<]*?\btype="(reasoning|tool_calls|code_interpreter)"')
_DETAILS = re.compile(r"<(/?)details\b")
_ATTRIBUTE = re.compile(r'(\w{1,30})="([^"]*+)"')
_BLOCK_IS = {"reasoning": "thought", "tool_calls": "tool", "code_interpreter": "tool"}


def fenced(text: str, language: str = "") -> str:
    """Returns code in a fence that nothing in it can end."""
    longest = max((len(row) for row in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    language = re.sub(r"[^\w+#.-]", "", language)[:30]
    return f"{fence}{language}\n{text}\n{fence}"


def document(title: str, text: str, language: str = "") -> str:
    """Returns a text that was beside a conversation, under its title; code in a fence."""
    title = one_line(storable(title[:200])).replace("*", "")
    body = fenced(text, language) if language else text
    return f"**{title}**\n\n{body}" if title else body


def artifacts_shown(mark: re.Pattern[str], text: str) -> str:
    """Documents that stand inside an answer, in tags of the service's own, become documents as above.

    `mark` finds an opening tag, with its attributes as group 1, or the closing one.
    """
    pieces: list[str] = []
    end, attributes = 0, None
    for found in mark.finditer(text):
        between = text[end : found.start()]
        if attributes is None:
            pieces.append(between)
        else:
            pieces.append(_artifact(attributes, between))
        attributes, end = found[1], found.end()
    if attributes is not None:  # cut off while it was written
        return "".join([*pieces, _artifact(attributes, text[end:])])
    return "".join([*pieces, text[end:]])


def _artifact(attributes: str, text: str) -> str:
    said = dict(_ATTRIBUTE.findall(attributes))
    kind = said.get("type") or said.get("contentType") or ""
    language = said.get("language") or language_of(kind)
    return "\n\n" + document(unescape(said.get("title", "")), text.strip("\n"), language) + "\n\n"


def language_of(kind: str) -> str:
    """Returns the language of a document by its media type; empty for prose."""
    if kind in ("", "text/markdown", "text/plain"):
        return ""
    last = kind.rpartition("/")[2].removeprefix("x-").removeprefix("vnd.ant.")
    return {"svg+xml": "svg", "react": "jsx", "code": "text"}.get(last, last)


def link(title: str, address: str) -> str:
    """Returns a Markdown link; the title alone if the address is not safe to follow."""
    title = one_line(storable(title[:300]))
    try:
        host = urlsplit(address).hostname if re.match(r"https?://", address) else None
    except ValueError:
        host = None
    if not host or re.search(r"[\s<>]", address):
        return title
    words = re.sub(r"([\\\[\]*_`])", r"\\\1", title or host)
    return f"[{words}](<{address}>)" if re.search(r"[()]", address) else f"[{words}]({address})"


def replaced(mark: re.Pattern[str], text: str, put: Callable[[str], str]) -> str:
    """Replaces each mark of `text` by `put(mark)`; if that is empty, the space before the mark is removed
    too.
    """
    pieces, end = [], 0
    for found in mark.finditer(text):
        piece, words = text[end : found.start()], put(found[0])
        after = text[found.end() : found.end() + 1]
        if not words and piece.endswith(" ") and not after.isalnum():
            piece = piece[:-1]
        pieces += [piece, words]
        end = found.end()
    return "".join([*pieces, text[end:]])


def without_thoughts(draft: ImportedConversation, text: str) -> str:
    """Removes the model's reasoning and the steps of tools from an answer (Open WebUI)."""
    text = _without_blocks(draft, text)
    begun = _THOUGHTS.match(text)
    if begun is None:
        return text
    closing = f"</{begun[1]}>"
    end = text.find(closing, begun.end())
    if end < 0:
        end = text.lower().find(closing.lower(), begun.end())
    if end < 0:
        return text  # the answer may be about such marks
    draft.leave_out("thought")
    return text[end + len(closing) :].lstrip()


def _without_blocks(draft: ImportedConversation, text: str) -> str:
    """Removes blocks, which may be nested. If they do not balance, each ends at the first end."""
    if "<details" not in text:
        return text
    whole = _Blocks(nested=True)
    if not whole.read(text):
        whole = _Blocks(nested=False)
        whole.read(text)
    for what, times in whole.left_out.items():
        draft.leave_out(what, times)
    return "".join(whole.parts).strip("\n") if whole.left_out else text


class _Blocks:
    """Reads a text line by line. Blocks begin a line, and none begins inside code."""

    def __init__(self, *, nested: bool) -> None:
        self.nested = nested
        self.parts: list[str] = []
        self.left_out: Counter[str] = Counter()
        self._fence, self._depth = "", 0

    def read(self, text: str) -> bool:
        """Parses the blocks; returns whether every one ended."""
        for line in text.splitlines(keepends=True):
            if self._depth or self._begins(line):
                rest = self._after(line)
                if not self._depth and rest.strip():
                    self.parts.append(rest)
            else:
                self.parts.append(line)
        return self._depth == 0

    def _begins(self, line: str) -> bool:
        marked = _FENCE.match(line)
        if marked and not self._fence:
            self._fence = marked[1]
        elif marked and marked[1].startswith(self._fence) and not line[marked.end() :].strip():
            self._fence = ""
        begun = None if self._fence else _BLOCK.match(line)
        if begun:
            self.left_out[_BLOCK_IS[begun[1]]] += 1
        return begun is not None

    def _after(self, line: str) -> str:
        """Counts what `line` opens and closes; returns what follows the end. A quote in it is no mark."""
        if self._depth and line.lstrip().startswith(">"):
            return ""
        for found in _DETAILS.finditer(line):
            if found[1]:
                self._depth -= 1
            elif self.nested or not self._depth:
                self._depth += 1
            if self._depth == 0:
                return line[line.find(">", found.end()) + 1 :]
        return ""
