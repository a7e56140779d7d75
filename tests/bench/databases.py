"""A benchmark on each database: the figures come from a process whose environment names an empty one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench.report import ROOT
from tests.postgresql import NoPostgres, Server


def clocked(work: Callable[[], object]) -> float:
    """Milliseconds."""
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def prepare() -> None:
    """Prepares the process that measures; called before anything else."""
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "grokweb.settings"
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def analyze() -> None:
    """Updates the statistics, as autovacuum does soon after many rows were written."""
    from django.db import connection

    if connection.vendor == "postgresql":
        connection.cursor().execute("ANALYZE")


def each(module: str, **environment: str) -> Iterator[tuple[str, Any]]:
    """The name of a database, and what `python -m module` printed in its last line, as JSON."""
    with ExitStack() as stack:
        build = ROOT / "build"  # a disk; /tmp may be memory
        build.mkdir(exist_ok=True)
        data = stack.enter_context(tempfile.TemporaryDirectory(dir=build))
        environment |= {"GROKWEB_DATA": data}
        sqlite = f"sqlite:///{Path(data) / 'bench.sqlite3'}"
        yield "SQLite", _told(module, {**environment, "DATABASE_URL": sqlite})
        try:
            server = Server()
        except NoPostgres as why:
            print(f"{module} on PostgreSQL is not measured: {why}")
            return
        url = stack.enter_context(server)
        yield "PostgreSQL", _told(module, {**environment, "DATABASE_URL": url})


def _told(module: str, environment: dict[str, str]) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])
