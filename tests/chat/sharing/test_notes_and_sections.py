"""Footnotes and collapsible sections on pages that need no script."""

from __future__ import annotations

import re

import pytest

from chat.sharing.render import reply_html

NOTES = (
    "Bread[^flour] and wine[^2], bread[^flour].\n\n[^2]: Red.\n[^flour]: Rye, *mostly*.\n\n    Or wheat.\n"
)


def test_notes_are_numbered_and_linked_there_and_back() -> None:
    html = reply_html(NOTES)
    assert re.findall(r'<a href="#([\w-]+)"', html) == ["note-0-1", "note-0-2", "note-0-1"]
    assert re.findall(r'class="note-back" href="#([\w-]+)"', html) == ["note-0-1-back", "note-0-2-back"]
    assert sorted(re.findall(r' id="([\w-]+)"', html)) == [
        "note-0-1",
        "note-0-1-back",
        "note-0-2",
        "note-0-2-back",
    ]
    assert html.index("Rye, <em>mostly</em>.") < html.index("Or wheat.") < html.index("Red.")


def test_notes_of_two_messages_have_ids_of_their_own() -> None:
    ids = [re.findall(r' id="([\w-]+)"', reply_html(NOTES, place=place)) for place in range(2)]
    assert not set(ids[0]) & set(ids[1])


def test_a_note_that_nothing_refers_to_is_shown() -> None:
    html = reply_html("Words.\n\n[^1]: Alone")
    assert "Alone" in html
    assert "note-back" not in html


def test_a_section_holds_markdown() -> None:
    html = reply_html("<details>\n<summary>More **here**</summary>\n\n- a\n\n</details>\n\nAfter.")
    assert re.search(r"<details[^>]*>\s*<summary[^>]*>More <strong>here</strong></summary>\s*<ul", html)
    assert re.search(r"</ul>\s*</details>\s*<p[^>]*>After", html)


@pytest.mark.parametrize(
    "text",
    [
        "<details open ontoggle=alert(1)>x</details>",
        "<details><summary onclick=x>a</summary><script>x</script></details>",
        "<details>\n<img src=x onerror=x>\n</details>",
        '<p id="note-0-1">x</p>\n\n[a](#note-0-1)',
        "x[^<b>]\n\n[^<b>]: y",
        'x[^"onclick=x]\n\n[^"onclick=x]: y',
    ],
)
def test_no_other_html_is_kept(text: str) -> None:
    html = reply_html(text)
    assert not re.search(r'<(script|img|b)\b|<[^>]*\son\w+=|<p[^>]* id=|<a href="#(?!note-0-1")', html)


@pytest.mark.parametrize(
    "text",
    [
        "<details>\n" * 4000,
        "<details>\n</details>\n" * 1700,
        "[^a]: x\n" * 4000,
        "a[^a] " * 3000 + "\n\n[^a]: x\n" * 1000,
    ],
    ids=["deep", "many", "notes", "references"],
)
def test_hostile_ones_end(text: str) -> None:
    assert reply_html(text).count("<details") <= 1700
