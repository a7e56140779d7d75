"""The web server's own limits, with a small application behind it."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from grokweb.redis_server import free_port
from tests.grokweb.service import ROOT, eventually

FRAME = 64 * 1024
PROGRAM = """
import asyncio, sys
from grokweb import web

async def application(scope, receive, send):
    if scope["type"] == "http":
        if scope["path"] == "/slow":
            await asyncio.sleep(60)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        if event.get("text") == "close":
            await send({"type": "websocket.close", "code": 1013})
            continue
        await send({"type": "websocket.send", "text": str(len(event.get("text") or event["bytes"]))})

server = web.WebServer(application, [f"tcp:port={sys.argv[1]}:interface=127.0.0.1"])
server.run()
sys.stderr.write(server.failure)
sys.exit(bool(server.failure))
"""


class Running:
    def __init__(self) -> None:
        self.port = free_port()
        self.process = self.spawn()

    def spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(self.port)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
        )

    def get(self, path: str) -> http.client.HTTPResponse | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return answer
        except OSError:
            return None
        finally:
            connection.close()

    def socket(self) -> ClientConnection:
        return connect(f"ws://127.0.0.1:{self.port}/", max_size=None, compression=None)


@pytest.fixture
def server() -> Iterator[Running]:
    running = Running()
    eventually(lambda: running.get("/"), "the server answers")
    yield running
    running.process.kill()
    running.process.communicate()


def close_code(ws: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        ws.recv(timeout=10)
    assert closed.value.rcvd is not None, "the connection was dropped without a close frame"
    return closed.value.rcvd.code


def test_the_largest_frame_passes_and_one_byte_more_is_1009(server: Running) -> None:
    with server.socket() as ws:
        ws.send("x" * FRAME)
        assert ws.recv(timeout=10) == str(FRAME)
        ws.send("x" * (FRAME + 1))
        assert close_code(ws) == 1009


def test_a_message_in_many_frames_is_1009_too(server: Running) -> None:
    with server.socket() as ws:
        ws.send("x" * (FRAME // 2) for _ in range(3))
        assert close_code(ws) == 1009


def test_other_sockets_go_on(server: Running) -> None:
    with server.socket() as good, server.socket() as bad:
        bad.send(b"x" * (FRAME + 1))
        assert close_code(bad) == 1009
        good.send("x")
        assert good.recv(timeout=10) == "1"


def test_the_application_may_close_with_1013(server: Running) -> None:
    with server.socket() as ws:
        ws.send("close")
        assert close_code(ws) == 1013


def test_a_stop_says_goodbye_within_two_seconds(server: Running) -> None:
    slow = http.client.HTTPConnection("127.0.0.1", server.port)
    slow.request("GET", "/slow")
    with server.socket() as ws:
        ws.send("x")
        ws.recv(timeout=10)
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert close_code(ws) == 1012
    assert server.process.wait(10) == 0
    assert time.monotonic() - started < 2.5
    slow.close()


def test_it_does_not_say_what_it_is(server: Running) -> None:
    answer = server.get("/")
    assert answer is not None
    assert answer.headers["Server"] is None


def test_a_taken_port_ends_with_a_failure(server: Running) -> None:
    second = server.spawn()
    _, error = second.communicate(timeout=30)
    assert second.returncode == 1
    assert str(server.port).encode() in error


async def test_behind_a_proxy_the_last_address_counts() -> None:
    """What a visitor writes into the header comes first; the proxy appends what it saw."""
    from grokweb import web

    seen: list[Any] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append(scope["client"])

    headers = [(b"x-forwarded-for", b"198.51.100.9, 203.0.113.5")]
    await web.behind_proxy(application)({"headers": headers, "client": ["127.0.0.1", 1]}, None, None)
    await web.behind_proxy(application)({"headers": [], "client": ["127.0.0.1", 1]}, None, None)
    assert seen == [["203.0.113.5", 0], ["127.0.0.1", 1]]
