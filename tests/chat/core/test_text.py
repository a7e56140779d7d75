"""Texts of which nothing can be seen, and what one line keeps of the rest."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from chat.core.text import is_blank, one_line, trimmed

# The page's buttons are asked the same (tests/js/blank.test.mjs).
CASES = json.loads((Path(__file__).parents[2] / "data" / "blank_texts.json").read_text())


@pytest.mark.parametrize("text", CASES["blank"], ids=ascii)
def test_invisible_text_is_blank(text: str) -> None:
    assert is_blank(text)
    assert trimmed(text) == ""
    assert one_line(text) == ""


@pytest.mark.parametrize("text", CASES["seen"], ids=ascii)
def test_visible_text_is_not_blank(text: str) -> None:
    assert not is_blank(text)
    assert trimmed(text) == text
    assert one_line(text)


@pytest.mark.parametrize("text", [text for text in CASES["seen"] if text[0] != "\u200b"], ids=ascii)
def test_one_line_keeps_the_parts_of_emoji_and_scripts(text: str) -> None:
    assert one_line(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("in\u202evoice.exe", "invoice.exe"),
        ("\u2066a\u2069 b", "a b"),
        ("Al\u200dice", "Alice"),
        ("Ali\ufe0fce", "Alice"),
        ("Al\U000e0061ice", "Alice"),
        ("\U0001f44d\u200dA", "\U0001f44dA"),
        ("a\u2800b", "a b"),
        ("two\nlines", "two lines"),
    ],
    ids=ascii,
)
def test_one_line_drops_what_is_unseen_elsewhere(text: str, line: str) -> None:
    assert one_line(text) == line
