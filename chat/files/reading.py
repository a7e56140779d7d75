"""Reading a file in a child process (child.py), so that nothing in it can hurt the worker."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import IO

from chat.files.models import Kind

logger = logging.getLogger("grokweb.files")

CHILD = Path(__file__).with_name("child.py")
SECONDS = 45.0  # on the wall; child.py bounds its processor time below that
# A worker may carry addresses and passwords in its environment; the child gets none of it.
ENVIRONMENT = {"LANG": "C.UTF-8"}


def read(content: IO[bytes], kind: Kind) -> tuple[str, str]:
    """("ok", text), or a key of words.py and nothing."""
    command = [sys.executable, "-I", "-B", str(CHILD), kind.value]
    try:
        done = subprocess.run(
            command,
            stdin=_handle(content),
            capture_output=True,
            env=ENVIRONMENT,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "too_slow", ""
    verdict, _, text = done.stdout.partition(b"\n")
    if done.returncode == 0 and verdict:
        return verdict.decode(), text.decode()
    logger.warning("a reading child ended with %s", done.returncode)
    return ("too_slow" if done.returncode in _TIME_WAS_UP else "too_large"), ""


_TIME_WAS_UP = (-24, -9)  # SIGXCPU, and SIGKILL where both limits are the same


def _handle(content: IO[bytes]) -> int:
    content.seek(0)
    return content.fileno()
