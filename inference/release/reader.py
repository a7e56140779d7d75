"""The importer's end of the pipe to the process that reads what somebody else wrote (child.py).

The importer opens a file and sends the open file; the reading process, which gave up everything else
(confine.py), walks its pickle and answers with where the arrays lie: numbers and one line of text, as JSON of
bounded length, never objects. The importer then checks these numbers against the release's layout and the
file's size, and takes the bytes itself. No answer, a late or an odd one is a refusal; there is no second way
to read.
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

from inference.release.unpickle import ITEM_BYTES, Array, NotTheRelease, shown

ROOT = Path(__file__).resolve().parents[2]
MOST_ANSWER = 8192  # bytes
PATIENCE = 120.0  # seconds for a few kilobytes, should they lie on a slow disk
LAST_WAIT = 5.0  # seconds the process has to end in
# Isolated (-I) and without site packages (-S): nothing of the caller's environment or folders is imported.
PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]);"
    "from inference.release.child import serve; serve(int(sys.argv[2]))"
)


class Reader:
    """A confined process, for as long as the context lasts."""

    def __init__(self) -> None:
        self.layers: list[str] = []  # what the process gave up, in its own words (confine.py)
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
            layers = self._answer().get("held")
            if not isinstance(layers, list) or not all(isinstance(layer, str) for layer in layers):
                raise NotTheRelease("cannot be read: the reading process did not start as it should")
        except BaseException:
            self.close()
            raise
        self.layers = [shown(layer) for layer in layers]
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
        """The arrays of an open file. Raises NotTheRelease."""
        size = os.fstat(file).st_size
        try:
            socket.send_fds(self._pipe, [b"r"], [file])
        except OSError:
            raise NotTheRelease("cannot be read: the reading process has ended") from None
        answer = self._answer()
        if isinstance(answer.get("refused"), str):
            raise NotTheRelease(shown_line(answer["refused"]))
        return [_array(one, size) for one in answer["arrays"]] if _plausible(answer) else _odd()

    def _answer(self) -> dict[str, Any]:
        try:
            (length,) = struct.unpack("<I", _exactly(self._pipe, 4))
            value = json.loads(_exactly(self._pipe, length)) if length <= MOST_ANSWER else None
        except TimeoutError:
            raise NotTheRelease(f"was not read within {PATIENCE:.0f} seconds") from None
        except (OSError, EOFError):
            raise NotTheRelease(
                "cannot be read: the reading process has ended, at one of its limits"
            ) from None
        except ValueError:
            value = None
        return value if isinstance(value, dict) else _odd()


def shown_line(text: str) -> str:
    """A line of the reading process, which may have been taken over: printable, and not long."""
    return "".join(one if one.isascii() and one.isprintable() else "?" for one in text[:400])


def _odd() -> Any:
    raise NotTheRelease("cannot be read: the reading process answered nonsense")


def _plausible(answer: dict[str, Any]) -> bool:
    arrays = answer.get("arrays")
    return isinstance(arrays, list) and len(arrays) in (1, 2)


def _array(value: Any, size: int) -> Array:
    match value:
        case [str() as kind, [*shape], int() as offset, int() as length] if (
            kind in ITEM_BYTES
            and all(type(side) is int and side > 0 for side in shape)
            and 0 <= offset <= offset + length <= size
            and length == math.prod(shape) * ITEM_BYTES[kind]
        ):
            return Array(kind, tuple(shape), offset, length)
    return Array(*_odd())


def _exactly(pipe: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = pipe.recv(count - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
