"""Tests the web server's own limits, with a small application behind it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from chat.core.size_limits import FRAME_BYTES
from grokweb.redis_server import free_port
from tests.grokweb.service import ROOT, eventually

FRAME = FRAME_BYTES
SESSION = f"grokweb_session={'a' * 32}"
PROGRAM = """
import asyncio, sys
from grokweb import web

poured = 0

async def application(scope, receive, send):
    global poured
    if scope["type"] == "http":
        if scope["path"] == "/poured":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": str(poured).encode()})
            return
        if scope["path"] == "/pour":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for number in range(4000):
                piece = f"{number:05}".encode() + b"x" * 32_000
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                poured = number + 1
                await asyncio.sleep(0)
            await send({"type": "http.response.body", "body": b"end"})
            return
        if scope["path"] in ("/body", "/api/import/"):
            while (await receive()).get("more_body"):
                pass
        if scope["path"] == "/root":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": scope["root_path"].encode()})
            return
        if scope["path"] == "/no-room":
            raise OSError(28, "No space left on device")
        if scope["path"] == "/slow":
            await asyncio.sleep(60)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})
        return
    await receive()
    if scope["path"] == "/refused":
        await send({"type": "websocket.close", "reason": "This address is unknown"})
        return
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        if event.get("text") == "pour":
            for number in range(4000):
                await send({"type": "websocket.send", "text": f"{number:05}" + "x" * 32_000})
                poured = number + 1
                if number % 8 == 0:
                    await asyncio.sleep(0)
            continue
        if event.get("text") == "rest":
            await asyncio.sleep(60)
        if event.get("text") == "close":
            await send({"type": "websocket.close", "code": 1013})
            continue
        await send({"type": "websocket.send", "text": str(len(event.get("text") or event["bytes"]))})

server = web.WebServer(web.with_room_for_bodies(application), [f"tcp:port={sys.argv[1]}:interface=127.0.0.1"])
server.ping_interval, server.ping_timeout = (float(word) for word in sys.argv[2:])
server.run()
sys.stderr.write(server.failure)
sys.exit(bool(server.failure))
"""


HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


def read_until(opened: socket.socket, end: bytes) -> bytes:
    data = b""
    while end not in data:
        got = opened.recv(1)
        assert got, data
        data += got
    return data


class Running:
    def __init__(self, ping_interval: float = 20, ping_timeout: float = 30) -> None:
        self.port = free_port()
        self.pings = [str(ping_interval), str(ping_timeout)]
        self.process = self.spawn()

    def spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(self.port), *self.pings],
            cwd=ROOT,
            # A zip of everything may have 50 MB and what the files of a person may take: 1 MB here.
            env={**os.environ, "PYTHONPATH": str(ROOT), "GROKWEB_IMPORT_MB": "50", "GROKWEB_FILES_MB": "1"},
            stderr=subprocess.PIPE,
        )

    def get(self, path: str) -> http.client.HTTPResponse | None:
        return self.ask(path)[0]

    def ask(
        self, path: str, body: bytes | Iterator[bytes] | None = None, cookie: str = ""
    ) -> tuple[http.client.HTTPResponse | None, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST" if body else "GET", path, body, {"Cookie": cookie})
            answer = connection.getresponse()
            return answer, answer.read()
        except OSError:
            return None, b""
        finally:
            connection.close()

    def poured(self) -> int:
        return int(self.ask("/poured")[1])

    def resident(self) -> int:
        """Returns the bytes in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def socket_that_reads_nothing(self) -> socket.socket:
        """Opens a socket that has requested 128 MB and reads nothing."""
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        made.connect(("127.0.0.1", self.port))
        made.sendall(HANDSHAKE)
        read_until(made, b"\r\n\r\n")
        made.sendall(b"\x81\x84\0\0\0\0pour")
        return made

    def socket(self) -> ClientConnection:
        return connect(f"ws://127.0.0.1:{self.port}/", max_size=None, compression=None)


def run(running: Running) -> Iterator[Running]:
    eventually(lambda: running.get("/"), "the server answers")
    yield running
    running.process.kill()
    running.process.communicate()


@pytest.fixture
def server() -> Iterator[Running]:
    yield from run(Running())


@pytest.fixture
def server_that_pings() -> Iterator[Running]:
    yield from run(Running(ping_interval=1, ping_timeout=1))


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


def test_other_sockets_stay_open(server: Running) -> None:
    with server.socket() as good, server.socket() as bad:
        bad.send(b"x" * (FRAME + 1))
        assert close_code(bad) == 1009
        good.send("x")
        assert good.recv(timeout=10) == "1"


def test_the_application_may_close_with_1013(server: Running) -> None:
    with server.socket() as ws:
        ws.send("close")
        assert close_code(ws) == 1013


def fails(send: Callable[[], Any]) -> bool:
    """Returns whether a send fails soon, because the other end accepts nothing more."""
    with contextlib.suppress(OSError):
        for _ in range(2000):
            send()
        return False
    return True


def settled(question: Callable[[], int]) -> int:
    """Returns the answer when it has stayed the same for half a second."""
    answers = [question()]
    while len(answers) < 6 or len(set(answers[-6:])) > 1:
        assert len(answers) < 200, answers
        time.sleep(0.1)
        answers.append(question())
    return answers[-1]


def test_the_server_waits_for_a_client_that_does_not_read(server: Running) -> None:
    before = server.resident()
    mute = [server.socket_that_reads_nothing() for _ in range(4)]
    assert settled(server.poured) < 400  # of 4,000
    for opened in mute:  # nor is anything read that such a socket sends
        opened.setblocking(False)
        assert fails(lambda opened=opened: opened.send(b"\x82\xfe\x7d\0\0\0\0\0" + b"x" * 32_000))  # type: ignore[misc]
    assert server.resident() - before < 32 << 20
    with server.socket() as good:
        good.send("x")
        assert good.recv(timeout=10) == "1"
    for opened in mute:
        opened.close()


def test_a_late_reader_gets_everything_in_order(server: Running) -> None:
    with server.socket() as ws:
        ws.send("pour")
        settled(server.poured)
        assert [int(str(ws.recv(timeout=10))[:5]) for _ in range(4000)] == list(range(4000))
        ws.send("x")
        assert ws.recv(timeout=10) == "1"


def test_a_client_that_never_reads_is_disconnected(server_that_pings: Running) -> None:
    mute = server_that_pings.socket_that_reads_nothing()
    mute.settimeout(30)
    settled(server_that_pings.poured)
    deadline = time.monotonic() + 30
    while not fails(lambda: mute.sendall(b"\x8a\x80\0\0\0\0")):
        assert time.monotonic() < deadline, "it still has its connection"
        time.sleep(0.1)
    mute.close()


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "in chunks"])
def test_a_large_body_is_refused_before_it_is_stored(server: Running, chunked: bool) -> None:
    def body(size: int) -> Any:
        return iter([b"x" * 65_536] * (size // 65_536)) if chunked else b"x" * size

    answer, _ = server.ask("/body", body(1 << 20))
    assert answer is not None
    assert answer.status == 200
    answer, _ = server.ask("/body", body(3 << 20))
    assert answer is not None
    assert answer.status == 413
    before = server.resident()
    with contextlib.suppress(OSError):  # the connection may end before all is sent
        server.ask("/nowhere/", body(100 << 20))
    assert server.resident() - before < 16 << 20
    assert server.get("/") is not None


def test_only_the_upload_endpoint_accepts_larger_bodies(server: Running) -> None:
    answer, _ = server.ask("/api/import/", b"x" * (51 << 20), SESSION)
    assert answer is not None
    assert answer.status == 200
    for path, size in (("/api/import/?a=b", 52 << 20), ("/api/import/x", 3 << 20)):
        answer, _ = server.ask(path, b"x" * size, SESSION)
        assert answer is not None
        assert answer.status == 413


def test_anonymous_uploads_are_refused(server: Running) -> None:
    for cookie in ("", "grokweb_session=", "other=abcdefghijklmnopqrstuvwxyz"):
        answer, _ = server.ask("/api/import/", b"x" * (3 << 20), cookie)
        assert answer is not None
        assert answer.status == 413


def test_reading_stops_while_frames_are_waiting(server: Running) -> None:
    """The flood waits at its sender, and everything is answered when the application continues."""
    with connect(f"ws://127.0.0.1:{server.port}/", max_size=None, proxy=None) as ws:
        ws.send("rest")  # the application takes no frame until it may
        before = server.resident()
        sent = 0
        ws.socket.settimeout(2)
        with contextlib.suppress(TimeoutError, OSError, ConnectionClosed):
            while sent < 1000:
                ws.send("x" * 60_000)
                sent += 1
        assert sent < 1000
        assert server.resident() - before < 16 << 20


def test_a_long_answer_waits_for_a_slow_reader(server: Running) -> None:
    before = server.resident()
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as mute:
        mute.sendall(b"GET /pour HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert settled(server.poured) < 2000  # of 4,000
        assert server.resident() - before < 32 << 20
        read = b"".join(iter(lambda: mute.recv(1 << 20), b""))
    assert read.count(b"xxxxx") == 4000 * 6400
    assert b"03999x" in read
    assert read.rstrip(b"\r\n0").endswith(b"end")


def test_a_stop_closes_sockets_within_two_seconds(server: Running) -> None:
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


def test_no_header_names_the_server_software(server: Running) -> None:
    answer = server.get("/")
    assert answer is not None
    assert answer.headers["Server"] is None


def answer_to(server: Running, request: bytes) -> tuple[int, bytes]:
    """Sends bytes. Returns status and body; the connection must end afterwards."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as opened:
        opened.sendall(request)
        said = b"".join(iter(lambda: opened.recv(65_536), b""))
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 "), said[:200]
    return int(head.split()[1]), body


CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"
ADDRESS, HEADERS = b"This address is too long.\n", b"The headers of this request are too large.\n"


@pytest.mark.parametrize(
    ("request_line", "headers", "status", "words"),
    [
        (b"GET /" + b"x" * 8000 + b" HTTP/1.1", b"", 200, CHUNKED),
        (b"GET /" + b"x" * 8200 + b" HTTP/1.1", b"", 414, ADDRESS),
        (b"GET /?q=" + b"x" * 20_000 + b" HTTP/1.1", b"", 414, ADDRESS),
        (b"POST /" + b"x" * 500_000 + b" HTTP/1.1", b"Content-Length: 3\r\n", 414, ADDRESS),
        (b"X" * 500_000, b"", 414, ADDRESS),
        (b"GET / HTTP/1.1", b"A: " + b"x" * 12_000 + b"\r\n", 200, CHUNKED),
        (b"GET / HTTP/1.1", b"A: " + b"x" * 20_000 + b"\r\n", 431, HEADERS),
        (b"GET / HTTP/1.1", b"A: " + b"x" * 500_000, 431, HEADERS),
        (b"GET / HTTP/1.1", b"A: b\r\n" * 90, 200, CHUNKED),
        (b"GET / HTTP/1.1", b"A: b\r\n" * 200, 431, HEADERS),
        (b"GET / HTTP/1.1", (b"A: " + b"x" * 1000 + b"\r\n") * 30, 431, HEADERS),
        (b"GET / HTTP/1.1", b"Upgrade: websocket\r\nA: " + b"x" * 20_000 + b"\r\n", 431, HEADERS),
    ],
)
def test_long_addresses_and_headers_are_refused_by_name(
    server: Running, request_line: bytes, headers: bytes, status: int, words: bytes
) -> None:
    request = request_line + b"\r\nHost: localhost\r\nConnection: close\r\n" + headers + b"\r\n"
    assert answer_to(server, request) == (status, words)


def test_a_second_request_of_a_connection_is_refused_by_name_too(server: Running) -> None:
    first = b"GET /body HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as opened:
        opened.sendall(first)
        assert b"200 OK" in read_until(opened, b"\r\n\r\n")
        opened.sendall(b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = read_until(opened, ADDRESS)
        assert b"HTTP/1.1 414 URI Too Long" in answer
        assert b"X-Robots-Tag: noindex" in answer  # a long address below /s/ is refused here, too


@pytest.mark.parametrize(
    "request_",
    [
        b"\x00\xff\x16\x03",
        b"GET / HTTP/9\r\nHost: x",
        b"G\xc3\x89T / HTTP/1.1\r\nHost: x",
        b"GET /\xff?\xfe HTTP/1.1\r\nHost: x",
        b"GET / HTTP/1.1\r\nHost x",
        b"GET / HTTP/1.1\r\nHost: x\r\nDaphne-Root-Path: /\xff",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz",
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade",
    ],
)
def test_broken_requests_leave_no_traceback(server: Running, request_: bytes) -> None:
    status, _ = answer_to(server, request_ + b"\r\nConnection: close\r\n\r\n")
    assert status == (200 if b"Daphne-Root-Path" in request_ else 400)  # that header is not read at all
    server.process.terminate()
    _, printed = server.process.communicate(timeout=30)
    assert b"Traceback" not in printed


def test_a_visitor_does_not_choose_the_root_of_the_site(server: Running) -> None:
    request = b"GET /root HTTP/1.1\r\nHost: x\r\nConnection: close\r\nDaphne-Root-Path: /evil\r\n\r\n"
    assert answer_to(server, request) == (200, b"0\r\n\r\n")


def test_a_refused_socket_gets_its_reason(server: Running) -> None:
    handshake = HANDSHAKE.replace(b"GET / ", b"GET /refused ")
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as opened:
        opened.sendall(handshake)
        assert read_until(opened, b"\r\n") == b"HTTP/1.1 403 This address is unknown\r\n"


def test_a_port_in_use_ends_with_a_failure(server: Running) -> None:
    second = server.spawn()
    _, error = second.communicate(timeout=30)
    assert second.returncode == 1
    assert str(server.port).encode() in error


async def test_behind_a_proxy_the_last_address_counts() -> None:
    """A visitor's own entries come first in the header; the proxy appends what it saw."""
    from grokweb import asgi_wrappers

    seen: list[Any] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append(scope["client"])

    headers = [(b"x-forwarded-for", b"198.51.100.9, 203.0.113.5")]
    await asgi_wrappers.behind_proxy(application)(
        {"headers": headers, "client": ["127.0.0.1", 1]}, None, None
    )
    await asgi_wrappers.behind_proxy(application)({"headers": [], "client": ["127.0.0.1", 1]}, None, None)
    assert seen == [["203.0.113.5", 0], ["127.0.0.1", 1]]


def test_a_body_that_fits_no_temporary_file_gets_storage_full(server: Running) -> None:
    """Django copies it before any of its own error handling."""
    answer, body = server.ask("/no-room", b"x")
    assert answer is not None
    assert (answer.status, json.loads(body)["error"]["code"]) == (507, "storage_full")
