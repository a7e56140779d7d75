"""The web process: `python -m grokweb.web`, Daphne with this service's limits.

Daphne's command line cannot say that an over-long frame is answered with close code 1009 instead of a dropped
connection (1006), that a socket may be closed with 1013, that all are closed with 1012 when the process
stops, or that a stop takes two seconds. Nor does it wait for clients that do not read, or refuse big bodies.
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

from grokweb import pulse

POOLS = pulse.Pools()
COUNTING_LOOP = pulse.counting(uvloop.Loop, POOLS)


class LoopPolicy(uvloop.EventLoopPolicy):  # type: ignore[misc]  # made on demand, without types
    def _loop_factory(self) -> Any:
        return COUNTING_LOOP()


asyncio.set_event_loop_policy(LoopPolicy())  # before Daphne: it makes its event loop when it is imported

from autobahn.websocket.types import ConnectionDeny
from daphne.endpoints import build_endpoint_description_strings
from daphne.http_protocol import WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings
from twisted.internet import defer, reactor, task

from chat.core.scopes import has_session
from grokweb import disks
from grokweb.logs import catch_what_python_prints
from grokweb.request_limits import Channel

logger = logging.getLogger("grokweb.web")

RESTARTING = 1012  # docs/protocol.md: come back with a delay
# A stop waits this long for answers under way and for the sockets' goodbye; must stay well below the
# supervisor's WEB_SECONDS.
GOODBYE_SECONDS = 1.0
MAIL_SECONDS = 0.8  # then, for mails that are being sent
# An answer of the OpenAI-compatible door may wait for its turn and then stream.
HTTP_SECONDS = max(900, int(2 * settings.QUEUE_TIMEOUT))

# What is posted is forms and JSON. Django refuses half of this, but only once it has all of it.
BODY_BYTES = 2 * settings.DATA_UPLOAD_MAX_MEMORY_SIZE
# Two doors take files, with a form around them.
FORM_BYTES = 64 << 10
UPLOADS = {
    settings.IMPORT_PATH.encode(): settings.IMPORT_BYTES + FORM_BYTES,
    settings.FILES_PATH.encode(): settings.FILE_BYTES + FORM_BYTES,
}
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
# Where a body, or Django's copy of it, does not fit onto the disk of temporary files. It has no words: nobody
# knows the reader's language yet.
NO_ROOM_BODY = b'{"error": {"code": "storage_full", "words": ""}}'
NO_ROOM = (
    b"HTTP/1.1 507 Insufficient Storage\r\nConnection: close\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(NO_ROOM_BODY), NO_ROOM_BODY)
)
# What still comes meanwhile is thrown away, so that the answer arrives before the connection ends.
TOO_LARGE_SECONDS = 1.0

# Frames of one socket that wait for the application before it is read no further.
FRAMES_WAITING, CROWDED_SECONDS = 16, 0.1

Application = Callable[..., Awaitable[None]]


class Request(WebRequest):  # type: ignore[misc]  # daphne has no types
    """Refuses a body that is too large when its length is announced, or as soon as that much has come.

    What it answers waits while the client does not read: it is what Twisted calls a producer, as Socket is.
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
        # Strangers bring no files: nothing of theirs is kept until a view says so.
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
                if not disks.is_unwritable(error):
                    raise
                self._refuse(NO_ROOM)

    def process(self) -> Any:
        self.requestHeaders.removeHeader(
            b"daphne-root-path"
        )  # where the site begins is not a visitor's choice
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
    """Sends wait while the client does not read, and nothing is read from it either: both ways stay bounded.

    It is what Twisted calls the transport's producer, and is told when to pause.
    """

    refusal = ""  # a constant of ours: it becomes part of the status line

    def __init__(self) -> None:
        super().__init__()
        self.drained = asyncio.Event()
        self.drained.set()
        self.crowded = False  # more frames wait than one tab has reason to send

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Reads no more while the application has frames enough: a flood waits with its sender."""
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
            self.transport.startWriting()  # a goodbye was the last to drain: one more look ends it
        elif not self.crowded:
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        self.drained.set()

    def serverReject(self) -> None:
        """403, with the application's reason where it gave one. Stock Daphne drops it."""
        if self.refusal:
            denied = ConnectionDeny(code=403, reason=self.refusal)  # type: ignore[no-untyped-call]
            self.handshake_deferred.errback(denied)
            del self.handshake_deferred
            self.server.protocol_disconnected(self)
        else:
            super().serverReject()

    def serverClose(self, code: int | None = None) -> None:
        """Any close code. Stock Daphne passes 1000 and 3000-4999 and breaks at 1012 and 1013."""
        self.sendCloseFrame(code=1000 if code is None else code)

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:
        """What is sent to a connection that just broke goes nowhere; the page comes back and resumes."""
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
        # A refused frame gets a close frame that says why, instead of a dropped connection.
        self.ws_factory.setProtocolOptions(failByDrop=False, closeHandshakeTimeout=1)

    def listen_success(self, port: Any) -> None:
        self.ports.append(port)
        super().listen_success(port)

    def listen_error(self, failure: Any) -> None:
        self.failure = failure.getErrorMessage()
        self.stop()

    @defer.inlineCallbacks
    def kill_all_applications(self) -> Any:
        """No new connections, a goodbye to every socket, a moment for what is under way, then the end."""
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
    """The address that the proxy in front saw: the last of X-Forwarded-For, which no visitor can write."""

    async def forwarded(scope: dict[str, Any], receive: Any, send: Any) -> None:
        for name, value in scope.get("headers", ()):
            if name == b"x-forwarded-for":
                scope["client"] = [value.decode("latin1").rsplit(",", 1)[-1].strip(), 0]
        await application(scope, receive, send)

    return forwarded


def with_room_for_bodies(application: Application) -> Application:
    """Django copies each body, larger ones into a temporary file, before any of its error handling."""

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
            if started or not disks.is_unwritable(error):
                raise
            logger.warning("a body was refused, the disk of temporary files is full or read-only")
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 507, "headers": headers})
            await send({"type": "http.response.body", "body": NO_ROOM_BODY})

    return guarded


def keep_database_open() -> sqlite3.Connection | None:
    """One connection to SQLite that is never closed. The last to close removes the -wal and -shm files, and
    without room to make them anew nobody could read: with it, pages are read from a full disk, too.
    """
    database = settings.DATABASES["default"]
    if database["ENGINE"] != "django.db.backends.sqlite3":
        return None
    kept = sqlite3.connect(database["NAME"], uri=str(database["NAME"]).startswith("file:"), timeout=20)
    try:
        kept.execute("PRAGMA journal_mode=WAL")
        kept.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone()  # opens both files
    except sqlite3.Error as error:
        logger.warning("the database is not kept open: %s", error)
    return kept


def main(arguments: Sequence[str] | None = None) -> int:
    from chat.accounts import mailing
    from grokweb.asgi import application

    parser = argparse.ArgumentParser(prog="python -m grokweb.web", description=__doc__)
    parser.add_argument("--pulse", type=int, metavar="FD", help="pipe of the supervisor (grokweb/pulse.py)")
    fd = parser.parse_args(arguments).pulse
    catch_what_python_prints()
    application = with_room_for_bodies(application)
    if settings.BEHIND_PROXY:
        application = behind_proxy(application)
    kept = keep_database_open()  # for as long as this process lives
    gc.freeze()  # what is loaded by now stays: no collection walks it again
    server = WebServer(
        application, build_endpoint_description_strings(host=settings.BIND, port=settings.PORT)
    )
    if fd is not None:
        reactor.callWhenRunning(lambda: pulse.Pulse(fd, POOLS).beat(asyncio.get_event_loop()))
    server.run()
    if kept is not None:
        kept.close()
    mailing.finish(MAIL_SECONDS)
    if server.failure:
        sys.stderr.write(f"{server.failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    sys.stderr.flush()
    os._exit(status)  # threads that still wait for a lock or a socket must not hold the exit up
