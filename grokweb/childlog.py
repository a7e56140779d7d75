"""Copies what a child prints into a log of its own (see rawlines.py), and warnings to the terminal."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from grokweb.rawlines import RawLines

FILE_BYTES = 5 << 20  # then it becomes <name>.log.1, so that logs never fill a disk
SHOWN = {"warning", "error", "critical"}
LINE_BYTES = 1 << 16
LOGFMT = re.compile(r'timestamp=\S+ level=(\w+) logger=\S+ event=(?:"((?:[^"\\]|\\.)*)"|(\S*))')


class ChildLog:
    def __init__(self, name: str, path: Path, show: Callable[[str], None]) -> None:
        self.name, self.path, self.show = name, path, show
        self.last_line = ""  # for the operator, when the child has died
        self.thread: threading.Thread | None = None
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def follow(self, process: subprocess.Popen[bytes]) -> None:
        self.last_line = ""
        self.thread = threading.Thread(
            target=self._copy, args=(process,), name=f"log-{self.name}", daemon=True
        )
        self.thread.start()

    def finish(self) -> None:
        """The child is gone: wait for its last words, but not for a stranger that still holds the pipe."""
        if self.thread is not None:
            self.thread.join(0.5)

    def _copy(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        file = self.path.open("ab", buffering=0)
        size = self.path.stat().st_size
        raw = RawLines()
        try:
            for printed in iter(lambda: process.stdout.readline(LINE_BYTES), b""):  # type: ignore[union-attr]
                text = raw.clean(printed.decode("utf-8", "replace").rstrip())
                if text is None:
                    continue
                # A very long line comes in pieces: only its last one has an end.
                line = text.encode() + (b"\n" if printed.endswith(b"\n") else b"")
                size += len(line)
                if size > FILE_BYTES:
                    file.close()
                    self.path.replace(self.path.with_suffix(".log.1"))
                    file, size = self.path.open("ab", buffering=0), len(line)
                try:
                    file.write(line)
                except OSError:
                    pass  # a full disk: the child must not block on its own words
                self._look(text)
        finally:
            file.close()
            process.stdout.close()

    def _look(self, line: str) -> None:
        if not line:
            return
        level, event = read_line(line)
        self.last_line = event or line
        if level in SHOWN:
            self.show(f"{self.name}: {level}: {event}")


def read_line(line: str) -> tuple[str, str]:
    """Level and text of a line of grokweb/logs.py; ("", "") for any other line."""
    if found := LOGFMT.match(line):
        return found[1], found[2] or found[3]
    if line.startswith("{"):
        try:
            record = json.loads(line)
            return str(record.get("level", "")), str(record.get("event", ""))
        except (ValueError, AttributeError):
            pass
    return "", ""
