"""Compares documents with the code: changed frames and codes must change in docs/protocol.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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
    families.append(metrics._outbound({}))
    exported = {
        family.name + ("_total" if family.type == "counter" else ""): set(getattr(family, "_labelnames", ()))
        for family in families
    }
    assert exported == listed


def defines(path: Path, name: str) -> bool:
    """Returns whether a module has a line that defines each part of a name: `Writer._append`."""
    code = path.read_text()
    starts = r"(?:async def|def|class|export function|export async function|export const|function|const)"
    return all(
        re.search(rf"^ *(?:{starts} {part}\b|{part}(?::[^=\n]+)? = )", code, re.MULTILINE)
        for part in name.split(".")
    )


@pytest.mark.parametrize(
    ("name", "path"), re.findall(r"`([\w.]+)` in `([\w/]+\.(?:py|js))`", (ROOT / "README.md").read_text())
)
def test_a_name_of_the_readme_is_defined_where_it_says(name: str, path: str) -> None:
    assert defines(ROOT / path, name)


def test_the_readme_names_all_modules_that_read_a_setting() -> None:
    (answer,) = re.findall(
        r"^\| Where is a setting read\? \| (.*) \|$", (ROOT / "README.md").read_text(), re.M
    )
    reads = re.compile(r"\benv\.(?:text|integer|number|flag|choice|words)\(")
    modules = [
        path.relative_to(ROOT).as_posix()
        for package in ("grokweb", "chat", "inference")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "env.py" and reads.search(path.read_text())
    ]
    places = re.findall(r"`([\w/.]+)`", answer)
    assert [module for module in modules if not module.startswith(tuple(places))] == []
    assert [place for place in places if not any(module.startswith(place) for module in modules)] == []
