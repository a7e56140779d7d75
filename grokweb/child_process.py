"""Describes a process that the supervisor starts, watches and restarts."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from grokweb.process_log import ProcessLog
from inference.base.model_list.entries import Entry

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0  # seconds before a restart; doubled at each death


@dataclass(slots=True)
class Child:
    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    log: ProcessLog
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    delay: float = FIRST_DELAY
    due: float | None = None  # when to start it (again)
    deaths: int = 0
    asked: bool = False  # whether it was told to end
    kill_at: float | None = None  # when to kill a process that was told to end
    entry: Entry | None = None  # of a model worker
    refused: str = ""  # why its model cannot be served; it is not started again

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


def describe_end(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
