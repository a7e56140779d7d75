"""Imports files of other services and returns what was said in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chat.conversations.branches import current_leaf
from chat.conversations.tree import path_to
from tests.chat.cast import Cast
from tests.chat.transfer import files
from tests.chat.transfer.importing import bring, only, report

DATA = Path(__file__).parents[2] / "data" / "import"


def came(cast: Cast, content: Any, name: str = "conversations.json") -> Any:
    """The report on the one conversation of a file."""
    content = content if isinstance(content, bytes) else files.as_json(content)
    result = report(bring(cast.client("alice"), content, name))
    assert result["left_out"] == []
    (one,) = result["imported"]
    return one


def said(cast: Cast) -> list[tuple[str, str]]:
    """Returns roles and texts along the open branch."""
    leaf = current_leaf(cast.alice, only(cast))
    return [(message.role[0], message.text) for message in path_to(leaf, 1000)] if leaf else []


def shown_siblings(cast: Cast) -> list[str]:
    """The texts of all answers to the first question, in the order in which the page leafs through them."""
    found = only(cast)
    result = cast.client("alice").get(f"/api/conversations/{found.pk}/messages/").json()["messages"][1]
    texts = {str(message.pk): message.text for message in found.messages.all()}
    return [texts[pk] for pk in result["siblings"]]
