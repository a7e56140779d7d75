"""Runs the tests of `make test`, `make unit`, `make drills` and `make engines`; one line of counts ends it.

`make test` runs everything but the fault drills and whole services (marker `faults`), and the long tests of
engines (marker `engines`). `make drills` (`--drills`) and `make engines` (`--engines`) run those. Tests and
drills run on SQLite, then on PostgreSQL. `make unit` (`--unit`) is for every commit: the first cases of the
fast tests (tests/unit.py), on SQLite alone. `make coverage` measures which lines they reach.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from tests import browser, on_postgresql, postgresql, unit

ROOT = Path(__file__).resolve().parent.parent
CI = os.environ.get("CI", "").lower() not in {"", "0", "false"}
NOTHING_COLLECTED = 5
# Nothing there is run on PostgreSQL: it need not even be imported.
WITHOUT_DATABASE = [f"--ignore=tests/{folder}" for folder in ("e2e", "inference", "js", "protocol")]
WITHOUT_DIFFERENCE = [f"--ignore={file}" for file in on_postgresql.LEFT_OUT]
PYTEST = [sys.executable, "-m", "pytest"]


@dataclass(frozen=True, slots=True)
class Run:
    """Holds pytest's options, and the expressions that choose the tests of each database."""

    options: tuple[str, ...]
    sqlite: str
    postgresql: str | None


UNIT = Run(
    ("-q", "-n", "2", "--dist", "worksteal", *(f"--ignore={path}" for path in unit.LEFT_OUT)),
    "unit and not e2e and not faults and not engines",
    None,
)
# Whole files, because their tests share services and models; in the order of tests/conftest.py, which puts
# the long ones first. Each process has a service of its own for the browser.
TESTS = Run(
    ("-q", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"),
    "not faults and not engines",
    "postgresql and not e2e and not faults and not engines",
)
TESTS_BY_NAME = replace(TESTS, postgresql="database and not e2e and not faults and not engines")
TIMED_DRILLS = "faults and timed"
# One after the other, because they measure how long people wait.
DRILLS = Run(
    ("-v", "-p", "no:cacheprovider"),
    TIMED_DRILLS,
    f"{TIMED_DRILLS} and database and not faults_sqlite and not slow_drill and not default_timings",
)
# Other drills and tests that start whole services. They measure no time, so two files run at once.
SERVICES = Run(
    ("-v", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadfile"),
    "faults and not timed",
    "faults and not timed and database and not faults_sqlite and not slow_drill",
)
# One after the other, because a real server or a whole model takes every core. No engine uses a database.
ENGINES = Run(("-v", "-p", "no:cacheprovider"), "engines", None)
SETS = {"--drills": (DRILLS, SERVICES), "--engines": (ENGINES,), "--unit": (UNIT,)}


def run(name: str, arguments: list[str], env: dict[str, str]) -> tuple[int, Counter[str]]:
    print(f"--- {name}", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts.json"
        given = {**os.environ, **env, "GROKWEB_TEST_COUNTS": str(counts)}
        status = subprocess.run([*PYTEST, *arguments], cwd=ROOT, env=given, check=False).returncode
        found = Counter(json.loads(counts.read_text())) if counts.exists() else Counter()
    if status == NOTHING_COLLECTED:
        status = 0
    elif status and not found["failed"]:
        found["failed"] += 1  # pytest itself did not get through
    print(f"--- {name}: {time.monotonic() - started:.0f} s", flush=True)
    return status, found


def main(arguments: list[str]) -> int:
    """Returns the exit status. Arguments go to pytest; a key of SETS before them chooses another set."""
    chosen = SETS.get(arguments[0] if arguments else "")
    arguments = arguments[1:] if chosen else arguments
    is_all = chosen is None and not arguments
    runs = chosen or (TESTS if is_all else TESTS_BY_NAME,)
    started = time.monotonic()
    os.environ.pop("DATABASE_URL", None)
    status, counts, notes = 0, Counter[str](), []
    # A second -m on the command line would replace ours, so it goes before what was asked for.
    for each in runs:
        failed, more = run("SQLite", [*each.options, "-m", each.sqlite, *arguments], {})
        status, counts = status or failed, counts + more
    if UNIT in runs:
        notes.append(
            "unit tests only: `make test` also runs browsers, PostgreSQL, every case and what is slow"
            " (tests/unit.py)"
        )
    try:
        failed, more = on_the_other_database(runs, arguments, is_all=is_all)
        status, counts = status or failed, counts + more
    except postgresql.NoPostgres as reason:
        notes.append(f"PostgreSQL tests not run: {reason}")
        status = status or int(CI)
    if browser.find() is None and not {UNIT, ENGINES} & set(runs):
        notes.append(browser.MISSING)
    if CI and is_all and not counts["browser"]:
        notes.append("CI: no browser test ran")
        status = status or 1
    for note in notes:
        print(note)
    results = ", ".join(f"{counts[each]} {each}" for each in ("passed", "failed", "skipped"))
    print(f"{results} in {time.monotonic() - started:.0f} s", flush=True)
    return status or int(counts["failed"] > 0)


def on_the_other_database(
    runs: tuple[Run, ...], arguments: list[str], *, is_all: bool
) -> tuple[int, Counter[str]]:
    """Runs what is run on PostgreSQL too. Raises NoPostgres."""
    status, counts = 0, Counter[str]()
    if not any(each.postgresql for each in runs):
        return status, counts
    without = [*WITHOUT_DATABASE, *(WITHOUT_DIFFERENCE if is_all else [])]
    with postgresql.Server() as url:
        for each in runs:
            kept = [*each.options, "-m", str(each.postgresql), *without, *arguments]
            failed, more = run("PostgreSQL", kept, {"DATABASE_URL": url})
            status, counts = status or failed, counts + more
    return status, counts


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
