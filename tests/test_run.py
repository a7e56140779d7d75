"""Tests what each `make` target asks pytest for, and on which databases."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests import on_postgresql, postgresql, run, unit


class NoServer:
    """Stands in for the temporary PostgreSQL server."""

    def __enter__(self) -> str:
        return "postgres://nowhere/postgres"

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Provides the database and the expression of markers of each run of pytest, none of which starts."""
    found: list[tuple[str, str]] = []

    def note(name: str, arguments: list[str], env: dict[str, str]) -> tuple[int, Counter[str]]:
        found.append((name, arguments[arguments.index("-m") + 1]))
        return 0, Counter(passed=1, browser=1)

    monkeypatch.setattr(run, "run", note)
    monkeypatch.setattr(postgresql, "Server", NoServer)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return found


def test_the_long_tests_of_engines_run_once_without_postgresql(runs: list[tuple[str, str]]) -> None:
    assert run.main(["--engines"]) == 0
    assert runs == [("SQLite", "engines")]


def test_drills_that_measure_run_alone_and_the_others_on_both_cores(runs: list[tuple[str, str]]) -> None:
    assert run.main(["--drills"]) == 0
    assert runs[:2] == [("SQLite", "faults and timed"), ("SQLite", "faults and not timed")]
    assert [database for database, _ in runs[2:]] == ["PostgreSQL"] * 2
    assert ["-n" in each.options for each in run.SETS["--drills"]] == [False, True]


@pytest.mark.parametrize(("arguments", "databases"), [([], 2), (["--unit"], 1)])
def test_test_and_unit_leave_drills_and_long_tests_of_engines_out(
    arguments: list[str], databases: int, runs: list[tuple[str, str]]
) -> None:
    assert run.main(arguments) == 0
    assert len(runs) == databases
    for _, markers in runs:
        assert {"not faults", "not engines"} <= set(markers.split(" and "))


def test_unit_tests_say_what_they_leave_out(
    runs: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    run.main(["--unit"])
    assert "unit tests only: `make test` also runs browsers" in capsys.readouterr().out
    run.main(["--engines"])
    assert "unit tests only" not in capsys.readouterr().out


def test_paths_that_the_unit_tests_leave_out_exist() -> None:
    assert [path for path in unit.SLOW if not (run.ROOT / path).exists()] == []


def test_files_with_a_rule_of_their_own_on_postgresql_exist() -> None:
    named = (*on_postgresql.EVERY_CASE, *on_postgresql.LEFT_OUT)
    assert [path for path in named if not (run.ROOT / path).exists()] == []


@pytest.mark.parametrize(("arguments", "marker"), [([], "postgresql"), (["-k", "accents"], "database")])
def test_tests_that_are_named_run_on_postgresql_with_every_case(
    arguments: list[str], marker: str, runs: list[tuple[str, str]]
) -> None:
    run.main(arguments)
    assert runs[1] == ("PostgreSQL", f"{marker} and not e2e and not faults and not engines")


class Case:
    """Stands in for one case of a test."""

    def __init__(self, file: str, name: str, *markers: str) -> None:
        self.path, self.name, self.nodeid = run.ROOT / file, name, f"{file}::{name}"
        self.markers = [*markers]

    def get_closest_marker(self, name: str) -> str | None:
        return name if name in self.markers else None

    def add_marker(self, name: str) -> None:
        self.markers.append(name)


@pytest.mark.parametrize(
    ("file", "chosen"),
    [
        ("tests/chat/feedback/test_feedback.py", ["test_stored[1]"]),
        ("tests/chat/search/test_search.py", ["test_stored[1]", "test_stored[2]"]),
        ("tests/chat/sharing/test_shared_page.py", []),
    ],
)
def test_cases_on_postgresql_are_chosen_by_file(file: str, chosen: list[str]) -> None:
    stored = [Case(file, f"test_stored[{number}]", "database") for number in (1, 2)]
    cases = [*stored, Case(file, "test_computed")]
    on_postgresql.mark(cases)  # type: ignore[arg-type]
    assert [case.name for case in cases if "postgresql" in case.markers] == chosen


def test_the_tests_of_a_file_run_in_one_process(tmp_path: Path) -> None:
    case = (
        "import os, pathlib, pytest\n"
        "@pytest.mark.parametrize('number', range(8))\n"
        "def test_note(number, worker_id):\n"
        "    with pathlib.Path(__file__).with_suffix('.log').open('a') as log:\n"
        "        print(worker_id, file=log)\n"
    )
    names = [f"test_{letter}" for letter in "abcd"]
    for name in names:
        (tmp_path / f"{name}.py").write_text(case)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:django", *run.TESTS.options]
    environment = {"PATH": os.environ["PATH"]}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=120)
    processes = [(tmp_path / f"{name}.log").read_text().split() for name in names]
    assert [(len(each), len(set(each))) for each in processes] == [(8, 1)] * len(names)
