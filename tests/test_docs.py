"""Documents are held against the code: a frame or a code that changes must change in docs/protocol.md."""

from __future__ import annotations

import re
from pathlib import Path

from chat.turns import consumers

ROOT = Path(__file__).parent.parent
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
CODE = "".join(path.read_text() for path in (ROOT / "chat").rglob("*.py"))


def rows(heading: str) -> set[str]:
    """First cells of the table under a heading."""
    section = PROTOCOL.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


def test_every_verb_is_documented() -> None:
    source = Path(consumers.__file__).read_text()
    verbs = set(re.findall(r'"(\w+)": self\._\w+,', source))
    assert verbs == rows("To the server")


def test_every_frame_is_documented() -> None:
    turns = "".join(path.read_text() for path in (ROOT / "chat" / "turns").glob("*.py"))
    frames = set(re.findall(r'"type": "([a-z]+)"', turns))
    assert frames == rows("From the server")


def test_every_error_code_is_documented() -> None:
    codes = set(re.findall(r'^    code(?:, http_status)? = "(\w+)"', CODE, re.MULTILINE)) - {"error"}
    listed = set(re.findall(r"`(\w+)`", PROTOCOL.split("`error` codes:", 1)[1].split("\n", 1)[0]))
    http_only = {"not_allowed", "not_logged_in", "bad_method"}
    assert codes <= listed | http_only, codes - listed
    assert listed - codes <= {"bad_frame"}, listed - codes


def test_every_close_code_is_documented() -> None:
    used = set(
        re.findall(
            r"\b(4\d{3}|10\d{2})\b",
            "".join((ROOT / "chat" / "turns" / name).read_text() for name in ("consumers.py", "guard.py")),
        )
    )
    for code in used:
        assert code in PROTOCOL, code
