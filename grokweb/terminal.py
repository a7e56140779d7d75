"""Prints lines for the operator on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress

Say = Callable[[str], None]


def say(line: str) -> None:
    with suppress(OSError, ValueError):  # a closed terminal must not end the service
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
