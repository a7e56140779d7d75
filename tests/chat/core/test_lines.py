"""Lines of workers are shown in the reader's language, in English where the catalogues do not know them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils.translation import override

from chat.core.lines import ShownLine, shown_line
from inference.base.lines import english, from_data, joined, to_data

MISSING = english("no model at %(folder)s: there is no such folder", folder="/a 100 %(x)s")
REFUSED = english("model: %(why)s", why=MISSING)
OLDER = ShownLine("[a] an older worker says this", "en")
FRENCH = "pas de modèle dans /a 100 %(x)s : ce dossier n’existe pas"


# Each would be 2 GB of text, if it were made.
LONG = {"template": "%(a)2000000000s", "values": {"a": ""}}
REPEATED: dict[str, Any] = {"template": "a" * 1000, "values": {}}
for _ in range(4):
    REPEATED = {"template": "%(a)s" * 1000, "values": {"a": REPEATED}}


def sent(said: str) -> str:
    """Returns a line as another process reads it."""
    return from_data(str(said), json.loads(json.dumps(to_data(said))))


@pytest.mark.parametrize(
    ("said", "french"),
    [
        (MISSING, ShownLine(FRENCH)),
        (REFUSED, ShownLine(f"modèle : {FRENCH}")),
        (joined([MISSING, "disk full"]), ShownLine(f"{FRENCH}; disk full")),
        (english("[%(slug)s] %(why)s", slug="a", why="an older worker says this"), OLDER),
        (english("a newer worker says %(what)s", what="this"), ShownLine("a newer worker says this", "en")),
        ("an older worker says this", ShownLine("an older worker says this", "en")),
    ],
    ids=[
        "alone",
        "within another",
        "joined",
        "joined of an older worker",
        "of a newer worker",
        "of an older worker",
    ],
)
def test_a_line_is_translated_where_the_catalogues_know_it(said: str, french: ShownLine) -> None:
    with override("fr"):
        assert shown_line(sent(said)) == french
    with override("en"):
        assert shown_line(sent(said)) == ShownLine(str(said), "en")


@pytest.mark.parametrize(
    "data",
    [
        None,
        7,
        [],
        {},
        {"template": "%(a)s"},
        {"template": "%(a)d", "values": {"a": "x"}},
        LONG,
        REPEATED,
        to_data(REFUSED),
    ],
)
def test_data_that_do_not_make_the_english_text_are_ignored(data: Any) -> None:
    with override("fr"):
        assert shown_line(from_data(str(MISSING), data)) == ShownLine(str(MISSING), "en")
