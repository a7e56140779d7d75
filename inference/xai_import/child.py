"""The process that reads untrusted files: it drops its rights, finds the arrays, and answers."""

from __future__ import annotations

import array  # noqa: F401 - recv_fds imports it at its first call, when nothing can be imported any more
import json
import os
import socket
import struct
from typing import Any

from inference.base.confine import MB, Limits, confine
from inference.xai_import.unpickle import NotTheRelease, arrays_in

LIMITS = Limits(memory=128 * MB, cpu_seconds=60)  # for the whole import; a file takes about 1 ms


def serve(number: int) -> None:
    """Answers on the pipe, an open socket, until the importer closes it."""
    pipe = socket.socket(fileno=number)
    _say(pipe, {"held": confine(LIMITS, strict=True)})
    while True:
        order, files, _, _ = socket.recv_fds(pipe, 1, 1)
        if order != b"r" or len(files) != 1:
            os._exit(0)  # without the interpreter's clean-up, which needs system calls that are refused now
        answer = _look(files[0])
        os.close(files[0])
        _say(pipe, answer)


def _look(file: int) -> dict[str, Any]:
    """Returns where the arrays of an open file lie, or the reason for which it is refused."""
    try:
        found = arrays_in(lambda offset, length: os.pread(file, length, offset), os.fstat(file).st_size)
    except NotTheRelease as refused:
        return {"refused": str(refused)}
    return {"arrays": [[one.kind, list(one.shape), one.offset, one.length] for one in found]}


def _say(pipe: socket.socket, value: dict[str, Any]) -> None:
    words = json.dumps(value).encode()
    pipe.sendall(struct.pack("<I", len(words)) + words)
