"""Reads a file in a confined child process (child.py), so that nothing in it can hurt the worker."""

from __future__ import annotations

import functools
import json
import logging
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from chat.files.models import Kind
from inference.base.confine import missing

logger = logging.getLogger("grokweb.files")

ROOT = Path(__file__).parents[2]
CHILD = "import sys; sys.path.insert(0, sys.argv[1]); from chat.files import child; child.main(*sys.argv[2:])"
SECONDS = 45.0  # wall-clock time; child.py limits CPU time below that
# A worker's environment may contain addresses and passwords; the child gets none of it.
ENVIRONMENT = {"LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Outcome:
    verdict: str  # "ok", or a key of words.py
    text: str = ""
    image: bytes = b""  # an image as it was encoded anew
    report: dict[str, Any] = field(default_factory=dict)


def read(content: IO[bytes], kind: Kind, encoding: str = "") -> Outcome:
    """Reads a file, a text in `encoding` if one is given."""
    command = [sys.executable, "-I", "-B", "-c", CHILD, str(ROOT), kind.value, encoding]
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
        return Outcome("too_slow")
    head, _, body = done.stdout.partition(b"\n")
    if done.returncode == 0 and head:
        answer = json.loads(head)
        log_missing_layers(answer["layers"])
        if kind == Kind.IMAGE:
            return Outcome(answer["verdict"], image=body, report=answer["report"])
        return Outcome(answer["verdict"], body.decode(), report=answer["report"])
    logger.warning("a reading child ended with %s", done.returncode)
    return Outcome("too_slow" if done.returncode in _TIME_WAS_UP else "too_large")


@functools.cache
def _log_once(layers: tuple[str, ...]) -> None:
    logger.warning("files are read without these layers of the sandbox: %s", ", ".join(layers))


def log_missing_layers(held: list[str]) -> None:
    """Logs, once in a process, which layers of the sandbox this machine does not allow."""
    if layers := missing(held):
        _log_once(tuple(layers))


_TIME_WAS_UP = (-24, -9)  # SIGXCPU, or SIGKILL if both limits are equal


def _handle(content: IO[bytes]) -> int:
    content.seek(0)
    return content.fileno()
