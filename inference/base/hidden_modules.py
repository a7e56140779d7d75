"""Hides installed packages from a library that would load them without need."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hidden(*packages: str) -> Iterator[None]:
    """Lets imports of these packages fail within the block, as if they were not installed.

    A package that is loaded already stays visible.
    """
    absent = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None: "do not import", says Python's docs
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
