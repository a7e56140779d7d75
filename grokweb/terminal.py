"""Prints lines for the operator on the terminal, and one line below them that is rewritten."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress

Say = Callable[[str], None]

CLEAR = "\r\x1b[K"
_lock = threading.Lock()  # lines come from several threads
_status = ""


def say(line: str) -> None:
    with _lock:
        _write(f"{CLEAR}{line}\n{_status}" if _status else f"{line}\n")


def show_status(line: str) -> None:
    """Shows a line that the next one replaces, below those of `say`; "" removes it. Only on a terminal."""
    global _status
    with _lock:
        if is_terminal() and line != _status:
            _status = line
            _write(f"{CLEAR}{line}")


def is_terminal() -> bool:
    return sys.stdout.isatty()


def _write(text: str) -> None:
    with suppress(OSError, ValueError):  # a closed terminal must not end the service
        sys.stdout.write(text)
        sys.stdout.flush()
