"""Talks, on the importer's side, to the process that reads untrusted files (child.py).

The importer opens a file and sends the open file. The reading process, which gave up everything else
(inference/base/confine.py), walks its pickle and answers with where the arrays lie: numbers and one line of
text, as JSON of bounded length, never objects. The importer then checks these numbers against the release's
layout and the file's size, and takes the bytes itself. Without an answer, or with an odd one, the import
ends; there is no second way to read.
"""

from __future__ import annotations

import json
import math
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from inference.xai_import.unpickle import ITEM_BYTES, Array, NotTheRelease, shown

ROOT = Path(__file__).resolve().parents[2]
MOST_ANSWER = 8192  # bytes
PATIENCE = 120.0  # seconds for a few kilobytes, should they lie on a slow disk
ODD = "cannot be read: the reading process answered nonsense"
LAST_WAIT = 5.0  # seconds in which the process must end
# Isolated (-I) and without site packages (-S): nothing of the caller's environment or folders is imported.
PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]);"
    "from inference.xai_import.child import serve; serve(int(sys.argv[2]))"
)


class ReadingFailed(OSError):
    """Raised when the reading process did not answer, perhaps without a fault of the file (memory, a slow
    disk).
    """


class Reader:
    """A confined process, for as long as the context lasts."""

    def __init__(self) -> None:
        self.layers: list[str] = []  # what the process gave up, (inference/base/confine.py)
        self._pipe, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._pipe.settimeout(PATIENCE)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", "-c", PROGRAM, str(ROOT), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={},
                cwd="/",
                start_new_session=True,  # Ctrl-C is for the importer alone
            )

    def __enter__(self) -> Reader:
        try:
            self.layers = [shown(str(layer)) for layer in self._answer()["held"]]
        except (ReadingFailed, NotTheRelease, KeyError, TypeError):
            self.close()
            raise ReadingFailed("the reading process did not start") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        self._pipe.close()
        try:
            self._process.wait(LAST_WAIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def arrays(self, file: int) -> list[Array]:
        """Returns the arrays of an open file. Raises NotTheRelease and ReadingFailed."""
        size = os.fstat(file).st_size
        try:
            socket.send_fds(self._pipe, [b"r"], [file])
        except OSError:
            raise ReadingFailed("cannot be read: the reading process has ended") from None
        answer = self._answer()
        if isinstance(answer.get("refused"), str):
            raise NotTheRelease(shown_line(answer["refused"]))
        arrays = answer.get("arrays")
        if not isinstance(arrays, list) or len(arrays) not in (1, 2):
            raise NotTheRelease(ODD)
        return [_array(one, size) for one in arrays]

    def _answer(self) -> dict[str, Any]:
        try:
            (length,) = struct.unpack("<I", _exactly(self._pipe, 4))
            value = json.loads(_exactly(self._pipe, length)) if length <= MOST_ANSWER else None
        except TimeoutError:
            raise ReadingFailed(f"was not read within {PATIENCE:.0f} seconds") from None
        except (OSError, EOFError):
            raise ReadingFailed("cannot be read: the reading process has ended") from None
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise NotTheRelease(ODD)
        return value


def shown_line(text: str) -> str:
    """Makes a line of the reading process, which may be compromised, printable and short."""
    return "".join(one if one.isascii() and one.isprintable() else "?" for one in text[:400])


def _array(value: Any, size: int) -> Array:
    match value:
        case [str() as kind, [*shape], int() as offset, int() as length] if (
            kind in ITEM_BYTES
            and all(type(side) is int and side > 0 for side in shape)
            and 0 <= offset <= offset + length <= size
            and length == math.prod(shape) * ITEM_BYTES[kind]
        ):
            return Array(kind, tuple(shape), offset, length)
    raise NotTheRelease(ODD)


def _exactly(pipe: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = pipe.recv(count - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
