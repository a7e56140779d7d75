"""Bounds what one websocket holds in both directions, and gives its close codes and refusals their reasons.

Daphne's command line has no options to close a socket with 1012 or 1013, nor to say why one was refused.
"""

from __future__ import annotations

import asyncio

from autobahn.websocket.types import ConnectionDeny
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import reactor, task  # web_server.py has imported Daphne, which chooses the reactor

# Frames of one socket that may wait for the application before reading stops.
FRAMES_WAITING, CROWDED_SECONDS = 4, 0.1  # 1.6 MB at most


class Socket(WebSocketProtocol):  # type: ignore[misc]  # daphne has no types
    """Bounds both directions: while the client does not read, sends wait and nothing is read from it.

    It is the transport's producer in Twisted's sense, which tells it when to pause.
    """

    refusal = ""  # one of our constants: it becomes part of the status line

    def __init__(self) -> None:
        super().__init__()
        self.drained = asyncio.Event()
        self.drained.set()
        self.crowded = False  # whether more frames wait than one tab needs to send

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Stops reading while the application has enough frames: a flood waits at its sender."""
        super().onMessage(payload, isBinary)
        if not self.crowded and self.application_queue.qsize() >= FRAMES_WAITING:
            self.crowded = True
            self.transport.pauseProducing()
            task.deferLater(reactor, CROWDED_SECONDS, self._look_again)

    def _look_again(self) -> None:
        if self.state != self.STATE_OPEN:
            return
        if self.application_queue.qsize() > FRAMES_WAITING // 4:
            task.deferLater(reactor, CROWDED_SECONDS, self._look_again)
            return
        self.crowded = False
        if self.drained.is_set():
            self.transport.resumeProducing()

    def onOpen(self) -> None:
        self.transport.unregisterProducer()  # the HTTP channel, which has handed the connection over
        self.transport.registerProducer(self, True)
        super().onOpen()

    def pauseProducing(self) -> None:
        self.drained.clear()
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self.drained.set()
        if self.transport.disconnecting:
            self.transport.startWriting()  # the close frame was the last to be sent: one more write ends it
        elif not self.crowded:
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        self.drained.set()

    def serverReject(self) -> None:
        """Answers 403 with the application's reason, which Daphne by itself drops."""
        if self.refusal:
            denied = ConnectionDeny(code=403, reason=self.refusal)  # type: ignore[no-untyped-call]
            self.handshake_deferred.errback(denied)
            del self.handshake_deferred
            self.server.protocol_disconnected(self)
        else:
            super().serverReject()

    def serverClose(self, code: int | None = None) -> None:
        """Sends any close code. Daphne by itself passes 1000 and 3000-4999 and fails at 1012 and 1013."""
        self.sendCloseFrame(code=1000 if code is None else code)

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:
        """Ignores sends to a connection that just broke: the page reconnects and resumes."""
        if self.state == self.STATE_OPEN:
            super().serverSend(content, binary)
