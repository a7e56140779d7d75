"""`make test`: every test on SQLite, then those a database could change on PostgreSQL; one summary line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests import browser, postgresql

ROOT = Path(__file__).resolve().parent.parent
CI = os.environ.get("CI", "").lower() not in {"", "0", "false"}
NOTHING_COLLECTED = 5
# Nothing there asks it: once is enough.
WITHOUT_DATABASE = ["--ignore=tests/inference", "--ignore=tests/js", "--ignore=tests/protocol"]
PYTEST = [sys.executable, "-m", "pytest", "--ds=tests.settings", "-q", "-n", "2", "--dist", "loadgroup"]


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
    notes: list[str] = []
    os.environ.pop("DATABASE_URL", None)
    status, counts = run("SQLite", arguments, {})
    try:
        with postgresql.Server() as url:
            # A second -m on the command line would replace ours, so it goes before what was asked for.
            kept = ["-m", "not e2e and not faults_sqlite", *WITHOUT_DATABASE, *arguments]
            second, more = run("PostgreSQL", kept, {"DATABASE_URL": url})
            status, counts = status or second, counts + more
    except postgresql.NoPostgres as reason:
        notes.append(f"PostgreSQL tests not run: {reason}")
        status = status or int(CI)
    if browser.find() is None:
        notes.append(browser.MISSING)
    if CI and not arguments and not counts["browser"]:
        notes.append("CI: no browser test ran")
        status = status or 1
    for note in notes:
        print(note)
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped", flush=True)
    return status or int(counts["failed"] > 0)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
