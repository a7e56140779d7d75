"""Runs servers on loopback that do one thing wrong, for tests of the doctor."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit


@contextmanager
def serving(handler: type[socketserver.BaseRequestHandler], **about: Any) -> Iterator[int]:
    """Yields the port of a server with this handler; the handler finds `about` on its server."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        for name, value in about.items():
            setattr(server, name, value)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class Mail(socketserver.StreamRequestHandler):
    """`fault`: "" (none), "silent", "no tls", "log-in", "greeting"; `heard` collects the commands."""

    def handle(self) -> None:
        fault, heard = self.server.fault, self.server.heard  # type: ignore[attr-defined]
        if fault == "silent":
            self.rfile.read()
            return
        self._say("554 no service" if fault == "greeting" else "220 ready")
        for line in self.rfile:
            verb = line.decode("latin1").split()[0].upper()
            heard.append(verb)
            if verb == "EHLO":
                self._say(
                    "250-mail.example",
                    *([] if fault == "no log-in" else ["250-AUTH PLAIN LOGIN"]),
                    "250 HELP",
                )
            elif verb == "AUTH":
                self._say("535 wrong" if fault == "log-in" else "235 welcome")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


class RedisProxy(socketserver.BaseRequestHandler):
    """Forwards to a real Redis, `url`, but reports another time or another version."""

    def handle(self) -> None:
        url = urlsplit(self.server.url)  # type: ignore[attr-defined]
        with socket.create_connection((url.hostname, url.port)) as real:
            threading.Thread(target=self._back, args=(real,), daemon=True).start()
            with suppress(OSError):
                while data := self.request.recv(65_536):
                    if b"\r\nTIME\r\n" in data and self.server.fault == "clock":  # type: ignore[attr-defined]
                        self.request.sendall(b"*2\r\n$10\r\n1000000000\r\n$1\r\n0\r\n")
                    else:
                        real.sendall(data)

    def _back(self, real: socket.socket) -> None:
        with suppress(OSError):
            while data := real.recv(65_536):
                if self.server.fault == "version":  # type: ignore[attr-defined]
                    data = re.sub(rb"((?:redis|valkey)_version:)\d", rb"\g<1>5", data)
                self.request.sendall(data)
