"""Numbered rules are defined in docs/live-path.md, and every reference to one has a target there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
RULES_PAGE = ROOT / "docs" / "live-path.md"
SUFFIXES = {".py", ".lua", ".js", ".md", ".html", ".po", ".cpp", ".toml", ".sh"}
REFERENCE = re.compile(r"\b[Rr]ules?\s+(\d+(?:(?:\s*,\s*(?:and\s+)?|\s+(?:and|to|or)\s+|\s*[-–]\s*)\d+)*)")


def referenced(text: str) -> set[int]:
    """Returns all rule numbers that a text refers to; "rules 7 to 11" and "rules 9-11" mean all between."""
    numbers: set[int] = set()
    for match in REFERENCE.finditer(text):
        numbers.update(int(number) for number in re.findall(r"\d+", match[1]))
        for first, last in re.findall(r"(\d+)(?:\s+to\s+|\s*[-–]\s*)(\d+)", match[1]):
            numbers.update(range(int(first), int(last) + 1))
    return numbers


def defined() -> list[int]:
    return [
        int(number) for number in re.findall(r"^\| \*\*Rule (\d+)\*\* \| \S", RULES_PAGE.read_text(), re.M)
    ]


def tracked_texts() -> dict[Path, str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listed.splitlines() if Path(name).suffix in SUFFIXES]
    return {path: path.read_text() for path in paths if path.is_file() and path != Path(__file__).resolve()}


def test_rules_are_numbered_from_1_to_15() -> None:
    assert defined() == list(range(1, 16))


def test_every_reference_to_a_rule_has_a_target() -> None:
    rules = set(defined())
    dangling = {
        str(path.relative_to(ROOT)): missing
        for path, text in tracked_texts().items()
        if (missing := referenced(text) - rules)
    }
    assert dangling == {}


def test_ranges_and_lists_of_rules_are_understood() -> None:
    assert referenced("Timings of rule 7 and 9-11; (rules 1, 8, 9, 12)") == {1, 7, 8, 9, 10, 11, 12}
    assert referenced("rules 14 to 16 and rule 2") == {2, 14, 15, 16}
    assert referenced("unruled 3, overrules 4, rule three") == set()


def test_no_text_refers_to_a_design_document_outside_the_repository() -> None:
    outside = [
        str(path.relative_to(ROOT))
        for path, text in tracked_texts().items()
        if re.search(r"\bDESIGN\b|\bSTYLE\.md\b|\.\./shared\b", text)
    ]
    assert outside == []
