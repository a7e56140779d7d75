"""Tools that tests install: they are none of the product's.

`echo` only reads, `note` writes a line to a file and asks before. Both take a time to wait and a fault, and
run as long as the file `hold` is there.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings

from chat.tools.base import Call, Tool, ToolFailed

NAMES = ("echo", "note", "jot", "stall")
HOLD = "hold"  # in the data directory


def notes() -> Path:
    """Returns the file that counts what `note` did."""
    return Path(settings.DATA_DIR) / "notes.txt"


def wait_and_fail(call: Call) -> None:
    time.sleep(min(call.arguments.get("wait_ms", 0) / 1000, call.seconds_left))
    while (Path(settings.DATA_DIR) / HOLD).exists() and call.seconds_left > 0:
        time.sleep(0.02)
    fault = call.arguments.get("fault", "")
    if fault == "fail":
        raise ToolFailed("the echo is gone")
    if fault == "raise":
        raise RuntimeError("an unexpected mistake")
    if fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)


class Echo(Tool):
    label = "Echo"
    description = "Returns the text that it gets."
    read_only = True
    needs_approval = False
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": {
            "text": {"type": "string", "maxLength": 100_000},
            "wait_ms": {"type": "integer", "minimum": 0},
            "fault": {"enum": ["fail", "raise", "kill"]},
            "more": True,  # whatever it is
        },
        "required": ["text"],
        "additionalProperties": False,
    }

    def run(self, call: Call) -> str:
        wait_and_fail(call)
        return str(call.arguments["text"])


class Note(Echo):
    label = "Note"
    description = "Writes the text down."
    read_only = False
    needs_approval = True

    def run(self, call: Call) -> str:
        with notes().open("a") as file:
            file.write(f"{call.arguments['text']}\n")
        wait_and_fail(call)
        return "written down"


class Jot(Note):
    """Writes without asking."""

    label = "Jot"
    needs_approval = False


class Stall(Jot):
    """Does not return within its time while the file `hold` is there."""

    label = "Stall"
    seconds = 0.5

    def run(self, call: Call) -> str:
        while (Path(settings.DATA_DIR) / HOLD).exists():
            time.sleep(0.02)
        return "returned"


class Unmade(Echo):
    """Cannot be made."""

    def __init__(self) -> None:
        raise RuntimeError("an unexpected mistake")
