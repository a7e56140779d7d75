"""Starts a whole service in a directory of its own, as an operator would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from grokweb.redis_server import free_port
from tests import migrated

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("redis", "web", "model-worker", "chat-worker", "jobs-worker", "beat")
TOOLS = "tools-worker"  # runs only where tools are enabled
PATIENCE = 120.0  # seconds; a busy machine


def eventually(check: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


class Service:
    """Runs `up` in `folder`; `lines` is its output."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.data = folder / "data"
        self.port = free_port()
        self.environment = {
            **{
                name: value for name, value in os.environ.items() if name not in {"REDIS_URL", "DATABASE_URL"}
            },
            "DJANGO_SETTINGS_MODULE": "grokweb.settings",
            "PORT": str(self.port),
            "GROKWEB_DATA": str(self.data),
            "GROKWEB_MODEL": "scripted",
            "GROKWEB_TEST_ENGINES": "1",
            **environment,
        }
        self.lines: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def with_tables(self) -> Service:
        """Puts a database with tables into the data directory, which shortens the first start."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        migrated.copy_sqlite(self.data / "grokweb.sqlite3")
        return self

    def start(self, *arguments: str) -> Service:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        return self

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as printed:
            for line in printed:
                self.lines.append(line.rstrip())

    def ended(self, seconds: float = PATIENCE) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def pid(self, name: str) -> int:
        try:
            return int((self.data / "run" / f"{name}.pid").read_text())
        except (OSError, ValueError):
            return 0

    def pids(self) -> dict[str, int]:
        return {name: self.pid(name) for name in (*NAMES, TOOLS) if self.pid(name)}

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def is_ready(self) -> bool:
        return self.get("/readyz")[0] == 200

    def said(self, words: str) -> bool:
        return any(words in line for line in list(self.lines))

    def wait_until_ready(self) -> Service:
        def ready_or_dead() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, f"it ended: {self.lines}"
            return self.said("GrokWeb is ready")

        eventually(ready_or_dead, f"ready; it said {self.lines}")
        return self

    def health(self) -> dict[str, object]:
        return dict(json.loads(self.get("/healthz")[1]))

    def close(self) -> None:
        """Ends everything that the test started."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for file in (self.data / "run").glob("*.pid"):  # also those of models.toml
            pid = self.pid(file.stem)
            eventually(lambda pid=pid: not is_running(pid), f"{file.stem} gone")  # type: ignore[misc]


def is_running(pid: int) -> bool:
    """Returns whether the process runs; a zombie does not count."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path("/proc/self").exists()


def kill(pid: int, by: signal.Signals = signal.SIGKILL) -> None:
    os.kill(pid, by)
