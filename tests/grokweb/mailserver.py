"""Runs a mail server that answers slowly and stores what it receives."""

from __future__ import annotations

import socketserver
import threading
import time


class MailServer:
    def __init__(self, seconds: float) -> None:
        self.mails: list[str] = []
        mails = self.mails
        self.goes_on = threading.Event()  # cleared: no mail is taken
        self.goes_on.set()
        goes_on = self.goes_on

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self._say("220 ready")
                while line := self.rfile.readline():
                    word = line[:4].upper().strip()
                    if word == b"DATA":
                        self._say("354 go on")
                        text = b""
                        while (row := self.rfile.readline()) not in {b".\r\n", b""}:
                            text += row
                        time.sleep(seconds)
                        goes_on.wait(60)
                        mails.append(text.decode(errors="replace"))
                    self._say("221 bye" if word == b"QUIT" else "250 ok")

            def _say(self, words: str) -> None:
                self.wfile.write(f"{words}\r\n".encode())

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"smtp://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
