"""Runs Daphne with this service's limits, and stops it within two seconds.

Daphne's command line has no options to answer an over-long frame with close code 1009 instead of a dropped
connection (1006), to close all sockets with 1012 when the process stops, or to limit a stop.
"""

from __future__ import annotations

from typing import Any

from daphne.server import Server
from django.conf import settings
from twisted.internet import defer, reactor, task

from grokweb.asgi_wrappers import Application
from grokweb.http_requests import Request
from grokweb.request_limits import Channel
from grokweb.web_sockets import Socket

RESTARTING = 1012  # docs/protocol.md: come back with a delay
# A stop waits this long for answers under way and for the sockets' goodbye; must stay well below the
# supervisor's WEB_SECONDS.
GOODBYE_SECONDS = 1.0
# An answer may wait for its turn and then stream.
HTTP_SECONDS = max(900, int(2 * settings.QUEUE_TIMEOUT))


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
