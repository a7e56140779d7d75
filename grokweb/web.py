"""The web process: `python -m grokweb.web`, Daphne with this service's limits.

Daphne's command line cannot say that an over-long frame is answered with close code 1009 instead of a dropped
connection (1006), that a socket may be closed with 1013, that all are closed with 1012 when the process
stops, or that a stop takes two seconds. Nor does it wait for clients that do not read, or refuse big bodies.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "grokweb.settings")
uvloop.install()  # before Daphne: it makes its event loop when it is imported

from daphne.endpoints import build_endpoint_description_strings
from daphne.http_protocol import WebRequest
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings
from twisted.internet import defer, reactor, task

from chat.core.scopes import has_session
from grokweb.logs import catch_what_python_prints

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
            super().handleContentChunk(data)

    def process(self) -> Any:
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

    def _refuse(self) -> None:
        self.refused = True
        self.requestHeaders.removeHeader(b"expect")  # no "100 Continue" after the answer
        channel = self.channel
        channel.transport.write(TOO_LARGE)
        task.deferLater(reactor, TOO_LARGE_SECONDS, channel.loseConnection)


class Socket(WebSocketProtocol):  # type: ignore[misc]  # daphne has no types
    """Sends wait while the client does not read, and nothing is read from it either: both ways stay bounded.

    It is what Twisted calls the transport's producer, and is told when to pause.
    """

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
        await super().handle_reply(protocol, message)

    def set_socket_options(self) -> None:
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


def main() -> int:
    from chat.accounts import mailing
    from grokweb.asgi import application

    catch_what_python_prints()
    if settings.BEHIND_PROXY:
        application = behind_proxy(application)
    gc.freeze()  # what is loaded by now stays: no collection walks it again
    server = WebServer(
        application, build_endpoint_description_strings(host=settings.BIND, port=settings.PORT)
    )
    server.run()
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
