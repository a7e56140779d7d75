"""docs/engines.md has what the tests of real servers recorded (test_real_servers.py writes found.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.inference.servers.counting_model import WORDS
from tests.inference.servers.real_servers import SERVERS

ROOT = Path(__file__).parents[3]
FOUND = json.loads(Path(__file__).with_name("found.json").read_text())
CONTINUES = {"": "no", "last": "yes", "flag": "yes, with `continue_final_message`"}
HEAD = (
    "| server | tested with | extensions it accepts | continues an answer | names its context |"
    " tokens of an answer |"
)


def row(name: str, found: dict[str, Any]) -> str:
    fields = ", ".join(f"`{field}`" for field in found["fields"]) or "none"
    end = "with the end of the turn" if found["tokens"] > len(WORDS) else "without the end of the turn"
    cells = [
        name,
        f"`{found['packages']}`",
        fields,
        CONTINUES[found["prefix"]],
        "yes" if found["context"] else "no: set `GROKWEB_CONTEXT`",
        end,
    ]
    return f"| {' | '.join(cells)} |"


def test_the_table_of_servers_is_what_was_found() -> None:
    lines = (ROOT / "docs" / "engines.md").read_text().splitlines()
    first = lines.index(HEAD) + 2
    rows = lines[first : lines.index("", first)]
    assert rows == [row(name, found) for name, found in FOUND.items()]


def test_every_server_was_tested_with_the_version_that_is_installed() -> None:
    assert {name: found["packages"] for name, found in FOUND.items()} == {
        name: server.version for name, server in SERVERS.items()
    }
