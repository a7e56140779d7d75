"""Later turns of a Markdown export stay text, whatever a turn before them leaves open."""

from __future__ import annotations

import random

import pytest
from markdown_it import MarkdownIt

from chat.conversations.models import Message
from chat.transfer.unclosed_blocks import closed
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk

READER = MarkdownIt("commonmark")
LAST = "The last words."


def is_heard(text: str) -> bool:
    """Returns whether a reader of Markdown sees a heading below the text as one of the whole document."""
    last = READER.parse(f"{text}\n\n## {LAST}")[-2:]
    return [(each.type, each.level) for each in last] == [("inline", 1), ("heading_close", 0)]


OPEN = [
    "Here:\n\n```py\nx0 = 0\nx1 = 1",
    "```",
    "one fence:\n```\nand a question",
    "~~~~\n```\nx\n```",
    "````md\n```py\nx\n```\n",
    "```a`b\nno fence, then one\n```",
    "1. Do:\n\n   ```py\n   x\nand here ends the list\n```py\ny",
    "- a\n```\nx",
    "> ```\n> x\n```\ny",
    "    ```\n\n```\nx",
    "<!-- a comment",
    "<pre>\nx\n\ny",
    "<script>\nlet x;\n",
    "<?php\n",
    "```\r\nx\r\n",
    "```py\n\tx\n  ``",
]
CLOSED = [
    "```py\nx\n```",
    "```py\nx\n   `````  ",
    "1. Do:\n\n   ```py\n   x",
    "- a\n  - b\n    ```\n    c",
    "> ```\n> x",
    "a `code` and ~~struck~~ text",
    "    ```\n    indented",
    "<!-- x --> and <b>y</b>",
    "<pre>x</pre>",
    "a < b",
    "",
]


@pytest.mark.parametrize("text", OPEN)
def test_open_blocks_are_closed(text: str) -> None:
    assert not is_heard(text)
    assert closed(text).startswith(text)
    assert is_heard(closed(text))


@pytest.mark.parametrize("text", CLOSED)
def test_closed_blocks_stay_as_they_are(text: str) -> None:
    assert closed(text) == text
    assert is_heard(text)


PIECES = [
    "```", "~~~", "````", "```py", "   ```", "    ```", "  ~~~~", "- ", "1. ", "10) ", "2. x", "* a", "> ",
    ">", "   ", "    ", "\t", "text", "", "", "# h", "---", "* * *", "<!--", "-->", "<pre>", "</pre>", "<?",
    "?>", "- - x", "> - ", "``` a ` b", "`", "<div>", "+",
]  # fmt: skip


def test_texts_put_together_by_chance_never_swallow_what_follows() -> None:
    dice = random.Random(7)
    for _ in range(1500):
        lines = ["".join(dice.choices(PIECES, k=dice.randrange(1, 4))) for _ in range(dice.randrange(1, 9))]
        text = "\n".join(lines)
        assert is_heard(closed(text)), text
        assert (closed(text) == text) == is_heard(text), text


@pytest.mark.django_db
def test_later_turns_of_an_export_stay_text(cast: Cast) -> None:
    made = talk(
        cast.alice, "Code?", "Here:\n\n```py\nx0 = 0\nx1 = 1 ", "```\nwhat is this?", "Words.", title="T"
    )
    Message.objects.filter(text__startswith="Here").update(status="stopped")
    answer = cast.client("alice").get(f"/api/conversations/{made.pk}/export/?format=markdown")
    tokens = READER.parse(answer.content.decode())
    headings = [tokens[n + 1].content for n, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings == ["T", "You", "Scripted", "You", "Scripted"]
    assert [token.content for token in tokens if token.type == "fence"] == [
        "x0 = 0\nx1 = 1 \n",
        "what is this?\n",
    ]
    assert tokens[-2].content == "Words."
