"""Compares documents with the code: changed frames and codes must change in docs/protocol.md."""

from __future__ import annotations

import re
from pathlib import Path

from grokweb import metrics

ROOT = Path(__file__).parent.parent
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
SOCKET_FILES = ("consumers.py", "connection.py", "socket_monitor.py")
CODE = "".join(path.read_text() for path in (ROOT / "chat").rglob("*.py"))


def test_every_error_code_is_documented() -> None:
    codes = set(re.findall(r'^    code(?:, http_status)? = "(\w+)"', CODE, re.MULTILINE)) - {"error"}
    listed = set(re.findall(r"`(\w+)`", PROTOCOL.split("`error` codes:", 1)[1].split("\n", 1)[0]))
    http_only = {"not_allowed", "not_logged_in", "bad_method", "mail_unavailable"}
    assert codes <= listed | http_only, codes - listed
    assert listed - codes <= {"bad_frame"}, listed - codes


def test_every_close_code_is_documented() -> None:
    used = set(
        re.findall(
            r"\b(4\d{3}|10\d{2})\b",
            "".join(
                (ROOT / "chat" / "turns" / name).read_text()
                for name in ("consumers.py", "connection.py", "socket_monitor.py")
            ),
        )
    )
    for code in used:
        assert code in PROTOCOL, code


def test_every_metric_is_documented() -> None:
    """Compares the collector's names and labels with the table in docs/operators.md."""
    section = (ROOT / "docs" / "operators.md").read_text().split("### Metrics\n", 1)[1].split("\n### ", 1)[0]
    listed = {}
    for names, labels in re.findall(r"^\| (`grokweb_[^|]+) \| ([^|]*)\|", section, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", names):
            listed[name] = {label.strip() for label in labels.split(",") if label.strip()}
    families = [metrics._up(1), *metrics._queues([]), *metrics._workers([]), *metrics._replies({})]
    exported = {
        family.name + ("_total" if family.type == "counter" else ""): set(getattr(family, "_labelnames", ()))
        for family in families
    }
    assert exported == listed
