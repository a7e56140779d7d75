"""Runs the web process (`python -m grokweb.web`): Daphne with this service's limits.

Daphne's command line has no options to answer an over-long frame with close code 1009 instead of a dropped
connection (1006), to close a socket with 1013, to close all with 1012 when the process stops, or to limit a
stop to two seconds. Nor does it wait for clients that do not read, or refuse large bodies.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import uvloop

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "grokweb.settings")

from django.conf import settings

from grokweb import watchdog
from inference.base.exit_status import on_invalid_setting

with on_invalid_setting():
    _ = settings.DATA_DIR  # reads all of them

POOLS = watchdog.Pools()
COUNTING_LOOP = watchdog.counting(uvloop.Loop, POOLS)


class LoopPolicy(uvloop.EventLoopPolicy):  # type: ignore[misc]  # made on demand, without types
    def _loop_factory(self) -> Any:
        return COUNTING_LOOP()


asyncio.set_event_loop_policy(LoopPolicy())  # before Daphne: it makes its event loop when it is imported

from autobahn.websocket.types import ConnectionDeny
from daphne.endpoints import build_endpoint_description_strings
from daphne.http_protocol import WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import defer, reactor, task

from chat.core.scopes import has_session
from chat.core.size_limits import BODY_BYTES
from grokweb.request_limits import Channel
from inference.base import disk_space
from inference.base.logs import catch_what_python_prints

logger = logging.getLogger("grokweb.web")

RESTARTING = 1012  # docs/protocol.md: come back with a delay
# A stop waits this long for answers under way and for the sockets' goodbye; must stay well below the
# supervisor's WEB_SECONDS.
GOODBYE_SECONDS = 1.0
MAIL_SECONDS = 0.8  # then, for mails that are being sent
# An answer may wait for its turn and then stream.
HTTP_SECONDS = max(900, int(2 * settings.QUEUE_TIMEOUT))

UPLOADS = {path.encode(): limit for path, limit in settings.SIZES.doors.items()}


NO_ROOM_BODY = b'{"error": {"code": "storage_full", "words": ""}}'


def _refusal(status: bytes, body: bytes) -> bytes:
    """Returns an answer without words, because the reader's language is not known yet.

    Its code tells a page that no proxy in front has answered.
    """
    head = b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: application/json\r\n" % status
    return head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


TOO_LARGE = _refusal(b"413 Content Too Large", b'{"error": {"code": "too_large", "words": ""}}')
# For a body, or Django's copy of it, that does not fit on the disk of temporary files.
NO_ROOM = _refusal(b"507 Insufficient Storage", NO_ROOM_BODY)
# Data that still arrive are discarded, so that the answer arrives before the connection ends.
TOO_LARGE_SECONDS = 1.0

# Frames of one socket that may wait for the application before reading stops.
FRAMES_WAITING, CROWDED_SECONDS = 4, 0.1  # 1.6 MB at most

Application = Callable[..., Awaitable[None]]


class Request(WebRequest):  # type: ignore[misc]  # daphne has no types
    """Refuses a body that is too large when its length is announced, or as soon as that much has come.

    Its answers wait while the client does not read: it is a producer in Twisted's sense, as Socket is.
    """

    received = 0
    refused = False
    limit = BODY_BYTES

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.drained = asyncio.Event()
        self.drained.set()

    def gotLength(self, length: int | None) -> None:
        path = self.channel._path.partition(b"?")[0]  # `path` is set when the body is there
        cookies = b"; ".join(self.requestHeaders.getRawHeaders(b"cookie", []))
        # Anonymous visitors send no files: nothing of theirs is stored until a view allows it.
        self.limit = UPLOADS.get(path, BODY_BYTES) if has_session(cookies.decode("latin-1")) else BODY_BYTES
        if length is not None and length > self.limit:
            self._refuse()
        super().gotLength(0 if self.refused else length)

    def handleContentChunk(self, data: bytes) -> None:
        self.received += len(data)
        if self.received > self.limit and not self.refused:
            self._refuse()
        if not self.refused:
            try:
                super().handleContentChunk(data)
                self.content.flush()  # a larger one is in a temporary file
            except OSError as error:
                if not disk_space.is_unwritable(error):
                    raise
                self._refuse(NO_ROOM)

    def process(self) -> Any:
        self.requestHeaders.removeHeader(
            b"daphne-root-path"
        )  # a visitor cannot choose the root path of the site
        return self.channel.loseConnection() if self.refused else super().process()

    def handle_reply(self, message: dict[str, Any]) -> None:
        streams = message["type"] == "http.response.body" and message.get("more_body")
        if streams and not self.producer and not self.finished and self.channel is not None:
            self.registerProducer(self, True)
        super().handle_reply(message)

    def pauseProducing(self) -> None:
        self.drained.clear()

    def resumeProducing(self) -> None:
        self.drained.set()

    def stopProducing(self) -> None:
        self.drained.set()

    def finish(self) -> None:
        if self.producer:
            self.unregisterProducer()
        super().finish()

    def connectionLost(self, reason: Any) -> None:
        self.drained.set()
        super().connectionLost(reason)

    def _refuse(self, answer: bytes = TOO_LARGE) -> None:
        self.refused = True
        self.requestHeaders.removeHeader(b"expect")  # no "100 Continue" after the answer
        channel = self.channel
        channel.transport.write(answer)
        task.deferLater(reactor, TOO_LARGE_SECONDS, channel.loseConnection)


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


class WebServer(Server):  # type: ignore[misc]  # daphne has no types
    failure = ""

    def __init__(self, application: Application, endpoints: list[str]) -> None:
        super().__init__(
            application=application,
            endpoints=endpoints,
            http_timeout=HTTP_SECONDS,
            websocket_timeout=-1,  # for as long as the tab is open
            ping_interval=20,
            ping_timeout=30,
            application_close_timeout=5,
            websocket_max_frame_size=settings.FRAME_BYTES_IN,
            websocket_max_message_size=settings.FRAME_BYTES_IN,
            ready_callable=self.set_socket_options,
            server_name="",
            verbosity=0,
        )
        self.ports: list[Any] = []

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        if message["type"] in {"websocket.send", "http.response.body"} and hasattr(protocol, "drained"):
            await protocol.drained.wait()
        if message["type"] == "websocket.close":
            protocol.refusal = message.get("reason") or ""
        await super().handle_reply(protocol, message)

    def set_socket_options(self) -> None:
        self.http_factory.protocol = Channel
        build = self.http_factory.buildProtocol

        def limited(address: Any) -> Any:
            protocol = build(address)
            protocol.requestFactory = Request
            return protocol

        self.http_factory.buildProtocol = limited
        self.ws_factory.protocol = Socket
        # A refused frame is answered with a close frame and its reason, instead of a dropped connection.
        self.ws_factory.setProtocolOptions(failByDrop=False, closeHandshakeTimeout=1)

    def listen_success(self, port: Any) -> None:
        self.ports.append(port)
        super().listen_success(port)

    def listen_error(self, failure: Any) -> None:
        self.failure = failure.getErrorMessage()
        self.stop()

    @defer.inlineCallbacks
    def kill_all_applications(self) -> Any:
        """Stops accepting, closes every socket, gives running requests a moment, then ends."""
        for port in self.ports:
            port.stopListening()
        for protocol in list(self.connections):
            if isinstance(protocol, Socket) and protocol.state == protocol.STATE_OPEN:
                protocol.serverClose(RESTARTING)
        for _ in range(int(GOODBYE_SECONDS / 0.05)):
            if not self._under_way():
                break
            yield task.deferLater(reactor, 0.05)
        for running in self._under_way():
            running.cancel()

    def _under_way(self) -> list[Any]:
        found = [details.get("application_instance") for details in self.connections.values()]
        return [running for running in found if running is not None and not running.done()]


def behind_proxy(application: Application) -> Application:
    """Returns the address that the proxy saw: the last of X-Forwarded-For, which no visitor can forge."""

    async def forwarded(scope: dict[str, Any], receive: Any, send: Any) -> None:
        for name, value in scope.get("headers", ()):
            if name == b"x-forwarded-for":
                scope["client"] = [value.decode("latin1").rsplit(",", 1)[-1].strip(), 0]
        await application(scope, receive, send)

    return forwarded


def with_room_for_bodies(application: Application) -> Application:
    """Answers `storage_full` if a body does not fit: Django copies it before its own error handling."""

    async def guarded(scope: dict[str, Any], receive: Any, send: Any) -> None:
        started = False

        async def watched(message: dict[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        try:
            await application(scope, receive, watched)
        except OSError as error:
            if started or not disk_space.is_unwritable(error):
                raise
            logger.warning("a body was refused, the disk of temporary files is full or read-only")
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 507, "headers": headers})
            await send({"type": "http.response.body", "body": NO_ROOM_BODY})

    return guarded


def keep_database_open() -> sqlite3.Connection | None:
    """Opens a connection to SQLite that is never closed, so that pages can be read from a full disk.

    The last connection that closes removes the -wal and -shm files; without space to create them again,
    nobody could read.
    """
    database = settings.DATABASES["default"]
    if database["ENGINE"] != "django.db.backends.sqlite3":
        return None
    connection = sqlite3.connect(database["NAME"], uri=str(database["NAME"]).startswith("file:"), timeout=20)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone()  # opens both files
    except sqlite3.Error as error:
        logger.warning("the database is not kept open: %s", error)
    return connection


def main(arguments: Sequence[str] | None = None) -> int:
    from chat.accounts import mailing
    from grokweb.asgi import application

    parser = argparse.ArgumentParser(prog="python -m grokweb.web", description=__doc__)
    parser.add_argument("--pulse", type=int, metavar="FD", help="pipe to the supervisor (watchdog.py)")
    fd = parser.parse_args(arguments).pulse
    catch_what_python_prints()
    application = with_room_for_bodies(application)
    if settings.BEHIND_PROXY:
        application = behind_proxy(application)
    connection = keep_database_open()  # for as long as this process lives
    gc.freeze()  # modules loaded by now stay: garbage collection need not visit them
    server = WebServer(
        application, build_endpoint_description_strings(host=settings.BIND, port=settings.PORT)
    )
    if fd is not None:
        reactor.callWhenRunning(lambda: watchdog.Pulse(fd, POOLS).beat(asyncio.get_event_loop()))
    server.run()
    if connection is not None:
        connection.close()
    mailing.finish(MAIL_SECONDS)
    if server.failure:
        sys.stderr.write(f"{server.failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    sys.stderr.flush()
    os._exit(status)  # threads that wait for a lock or a socket must not delay the exit
