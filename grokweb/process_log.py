"""Copies a process' output to its log (see raw_output.py), and warnings to the terminal."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from grokweb.raw_output import RawOutputFilter

FILE_BYTES = 5 << 20  # the file then becomes <name>.log.1, so that logs never fill a disk
SHOWN = {"warning", "error", "critical"}
LINE_BYTES = 1 << 16
LOGFMT = re.compile(r'timestamp=\S+ level=(\w+) logger=\S+ event=(?:"((?:[^"\\]|\\.)*)"|(\S*))')


class LogFile:
    """Writes lines to a file; on a full disk, counts and drops the lines that cannot be written.

    The first line that fits again is preceded by one with the number of missing lines.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost = 0
        self._why = ""
        self._file: FileIO | None = None
        self._size = 0
        self._torn = False  # whether the last line was written only in part

    def write(self, line: bytes) -> str:
        """Writes one line. Returns a message for the operator when a gap ends: how many lines are missing."""
        notice = ""
        try:
            self._make_room(len(line))
            if self.lost:
                notice = f"{self.lost} lines are missing in {self.path.name}: {self._why}"
                self._put(_warning(notice))
                self.lost = 0
            self._put(line)
        except OSError as error:
            self.lost += 1
            self._why = error.strerror or type(error).__name__
            self.close()
        return notice if not self.lost else ""

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            # Network file systems report a full disk here; they did not count what is missing.
            with contextlib.suppress(OSError):
                file.close()

    def _make_room(self, more: int) -> None:
        if self._file is not None and self._size + more > FILE_BYTES:
            self.close()
            self.path.replace(self.path.with_suffix(".log.1"))
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = FileIO(self.path, "a")
            self._size = self.path.stat().st_size

    def _put(self, line: bytes) -> None:
        assert self._file is not None
        if self._torn:
            line = b"\n" + line
        written = self._file.write(line) or 0
        self._size += written
        if written < len(line):
            self._torn = self._torn or written > 0
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._torn = False


def _warning(event: str) -> bytes:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    record = {"event": event, "level": "warning", "logger": "grokweb.process_log", "timestamp": now}
    return json.dumps(record).encode() + b"\n"


class ProcessLog:
    def __init__(self, name: str, path: Path, show: Callable[[str], None]) -> None:
        self.name, self.path, self.show = name, path, show
        self.file = LogFile(path)
        self.last_line = ""  # for the operator, when the child has died
        self.thread: threading.Thread | None = None

    def follow(self, process: subprocess.Popen[bytes]) -> None:
        self.last_line = ""
        self.thread = threading.Thread(
            target=self._copy, args=(process,), name=f"log-{self.name}", daemon=True
        )
        self.thread.start()

    def finish(self) -> None:
        """Waits for the last output of an ended process, but not for another that still has its pipe open."""
        if self.thread is not None:
            self.thread.join(0.5)

    def note(self, event: str) -> None:
        """Writes a message of the supervisor about the process to its log and to the terminal."""
        when = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        line = {"event": event, "level": "critical", "logger": __name__, "timestamp": when}
        with suppress(OSError), self.path.open("ab", buffering=0) as file:
            file.write(f"{json.dumps(line)}\n".encode())
        self.show(f"{self.name}: critical: {event}")

    def _copy(self, process: subprocess.Popen[bytes]) -> None:
        """Reads every line, even if the one before could not be stored: the process must never block."""
        assert process.stdout is not None
        raw = RawOutputFilter()
        try:
            for printed in iter(lambda: process.stdout.readline(LINE_BYTES), b""):  # type: ignore[union-attr]
                text = raw.clean(printed.decode("utf-8", "replace").rstrip())
                if text is None:
                    continue
                # A very long line comes in pieces: only its last one has an end.
                line = text.encode() + (b"\n" if printed.endswith(b"\n") else b"")
                if notice := self.file.write(line):
                    self.show(f"{self.name}: {notice}")
                self._look(text)
        finally:
            self.file.close()
            process.stdout.close()

    def _look(self, line: str) -> None:
        if not line:
            return
        level, event = read_line(line)
        self.last_line = event or line
        if level in SHOWN:
            self.show(f"{self.name}: {level}: {event}")


def read_line(line: str) -> tuple[str, str]:
    """Returns level and text of a line of inference/base/logs.py; ("", "") for any other line."""
    if found := LOGFMT.match(line):
        return found[1], found[2] or found[3]
    if line.startswith("{"):
        try:
            record = json.loads(line)
            return str(record.get("level", "")), str(record.get("event", ""))
        except (ValueError, AttributeError):
            pass
    return "", ""
