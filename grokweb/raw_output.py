"""Cleans lines printed without our log format: tracebacks keep places and types and lose their messages."""

from __future__ import annotations

import re

TRACEBACK = re.compile(r"\s*(\+ )?(Exception Group )?Traceback \(most recent call last\):")
LINKS = ("During handling of the above exception", "The above exception was the direct cause")
RAISED = re.compile(r"([A-Za-z_][\w.]*)(?::\s*(.*))?$", re.DOTALL)
ERRNO = re.compile(r"\[Errno -?\d+\] [A-Za-z ,/()-]+?(?=:|$)")
WARNING = re.compile(r"(\S.*?:\d+: \w*Warning): ")
# Raised at a start, with a text for the operator.
FOR_OPERATORS = {"InvalidSetting", "ImproperlyConfigured", "ImportError", "ModuleNotFoundError", "SystemExit"}


class RawOutputFilter:
    """Filters the lines of one process, in their order."""

    def __init__(self) -> None:
        self._in_traceback = False
        self._after_message = False  # what follows may be the rest of a message of several lines

    def clean(self, line: str) -> str | None:
        """Returns the part of `line` that may be logged, or None."""
        if line.startswith(("{", "timestamp=")):
            self._in_traceback = self._after_message = False
            return line
        if TRACEBACK.match(line):
            self._in_traceback, self._after_message = True, False
            return line
        if self._in_traceback:
            if line[:1].isspace() or not line:
                return line
            self._in_traceback, self._after_message = False, True
            return _raised(line)
        if self._after_message:
            return line if not line or line.startswith(LINKS) else None
        found = WARNING.match(line)
        return found[1] if found else line


def _raised(line: str) -> str:
    found = RAISED.match(line)
    if found is None:
        return "…"
    kind, message = found[1], found[2] or ""
    if kind.rpartition(".")[2] in FOR_OPERATORS:
        return line
    errno = ERRNO.match(message)
    return f"{kind}: {errno[0]}" if errno else kind
