"""A TCP forwarder that can be cut like a cable: open connections break, and no new one gets through."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: the other side hears of it at once


class Line:
    """Forwards 127.0.0.1:`port` to `target`, until `close`."""

    def __init__(self, port: int, target: int) -> None:
        self.origin = f"http://localhost:{port}"
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", port))
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        with self._lock:
            self._is_cut = True
            ends, self._ends = self._ends, set()
        for end in ends:
            _break(end)

    def mend(self) -> None:
        with self._lock:
            self._is_cut = False

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes its thread
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self._join(near):
                _break(near)

    def _join(self, near: socket.socket) -> bool:
        try:
            far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            return False
        far.settimeout(None)
        with self._lock:
            if self._is_cut:
                far.close()
                return False
            self._ends |= {near, far}
        for source, sink in ((near, far), (far, near)):
            threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()
        return True

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for part in _read(source):
                sink.sendall(part)
            sink.shutdown(socket.SHUT_WR)


def _read(source: socket.socket) -> Iterator[bytes]:
    while part := source.recv(65536):
        yield part


def _break(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        end.shutdown(socket.SHUT_RDWR)  # wakes whoever reads from it
    end.close()
