"""The guarded client against servers that misbehave: each attempt ends with its reason, within the limits."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from inference.base.outbound import (
    Answer,
    BadAnswer,
    Client,
    LimitExceeded,
    Limits,
    Listed,
    OutboundError,
    Policy,
    Refused,
)
from tests.inference.outbound_cases import (
    BROKEN,
    CHUNKED,
    ENDLESS,
    IMPATIENT,
    PLAIN,
    SAYING_HELLO,
    SILENT,
    forever,
    silent,
    slowly,
)
from tests.inference.outbound_clients import client_for, failure, failure_of
from tests.inference.outbound_servers import (
    HOST,
    Script,
    Server,
    answer,
    recorded_connections,
    redirects,
    says,
)


def body_of(script: Script, **options: Any) -> bytes:
    with Server(script) as server, client_for(server, **options).get(server.url) as got:
        return got.read()


# --- Answers -----------------------------------------------------------------------------------------------


def test_an_answer_has_status_headers_and_body() -> None:
    script = says(answer(b"hello", "Content-Type: text/plain", "X-A: 1", "X-A: 2", status="404 Not Found"))
    with Server(script) as server, client_for(server).get(f"{server.url}/a?b=c#d") as got:
        assert (got.status, got.headers["content-type"], got.headers["x-a"]) == (404, "text/plain", "1, 2")
        assert got.read() == b"hello"
    [request] = server.requests
    assert request.startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert f"Host: {HOST}:{server.port}\r\n".encode() in request


def test_a_body_is_sent_with_its_length_and_headers() -> None:
    with Server(says(answer(b"ok"))) as server:
        sent = client_for(server).open("POST", server.url, {"Authorization": "Bearer x"}, b"question")
        assert sent.read() == b"ok"
    [request] = server.requests
    assert request.endswith(b"\r\n\r\nquestion")
    assert b"\r\nContent-Length: 8\r\n" in request
    assert b"\r\nAuthorization: Bearer x\r\n" in request


@pytest.mark.parametrize("wire", SAYING_HELLO.values(), ids=SAYING_HELLO)
def test_a_body_is_read_in_every_form_of_http(wire: bytes) -> None:
    assert body_of(says(wire)) == b"hello"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_without_a_body_ends_with_its_headers(status: str) -> None:
    assert body_of(silent(f"HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\n".encode())) == b""


def test_head_reads_no_body() -> None:
    with Server(silent(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")) as server:
        assert client_for(server).open("HEAD", server.url).read() == b""


def test_a_compressed_body_is_decoded_whole() -> None:
    text = bytes(range(256)) * 700
    assert body_of(says(answer(gzip.compress(text), "Content-Encoding: gzip"))) == text


def test_pieces_arrive_before_the_answer_ends() -> None:
    first_read = threading.Event()

    def script(sock: socket.socket, request: bytes) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        first_read.wait(20)
        sock.sendall(b"4\r\nlast\r\n0\r\n\r\n")

    with Server(script) as server, client_for(server).get(server.url) as got:
        pieces = iter(got)
        assert next(pieces) == b"first"
        first_read.set()
        assert list(pieces) == [b"last"]


def test_close_drops_the_connection_at_once_for_the_server_and_for_a_reader() -> None:
    hung_up = threading.Event()

    def script(sock: socket.socket, request: bytes) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nfirst")
        assert sock.recv(1) == b""
        hung_up.set()

    with Server(script) as server:
        got = client_for(server).get(server.url)
        pieces = iter(got)
        assert next(pieces) == b"first"
        threading.Thread(target=got.close).start()
        assert failure(lambda: next(pieces)) == (BadAnswer, "closed")
        assert hung_up.wait(20)


# --- Limits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("script", "expected"), ENDLESS.values(), ids=ENDLESS)
def test_an_endless_answer_ends_at_its_limit(script: Script, expected: str) -> None:
    assert failure_of(script) == (LimitExceeded, expected)


@pytest.mark.parametrize(
    "wire", [answer(b"hello", "Content-Length: 5, 5"), b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer()]
)
def test_a_list_of_lengths_and_an_early_answer_are_refused(wire: bytes) -> None:
    assert failure_of(says(wire)) == (BadAnswer, "malformed")


def test_more_than_a_hundred_headers_are_too_many() -> None:
    headers = [f"X-{number}: 1" for number in range(101)]
    assert failure_of(says(answer(b"", *headers))) == (LimitExceeded, "headers_too_large")


def test_a_bomb_is_not_decoded_beyond_its_limit() -> None:
    """A piece has at most 64 KiB, so that a bomb needs no more memory than an honest answer."""
    bomb = gzip.compress(bytes(5_000_000))
    with Server(says(answer(bomb, "Content-Encoding: gzip"))) as server:
        got = client_for(server).get(server.url)
        pieces: list[int] = []
        assert failure(lambda: pieces.extend(map(len, got))) == (LimitExceeded, "decoded_too_large")
    assert max(pieces) <= 65536
    assert 200_000 - 65536 < sum(pieces) <= 200_000


@pytest.mark.parametrize("start", SILENT.values(), ids=SILENT)
def test_silence_ends_a_request_at_every_point(start: bytes) -> None:
    assert failure_of(silent(start), limits=IMPATIENT) == (LimitExceeded, "silence")


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX-Slow: ", PLAIN, CHUNKED + b"fff\r\n"])
def test_a_byte_now_and_then_does_not_extend_the_total_time(start: bytes) -> None:
    limits = Limits(silent_seconds=10, total_seconds=0.5)
    assert failure_of(slowly(start, b"a", 0.05), limits=limits) == (LimitExceeded, "total_time")


def test_redirects_share_one_total_time() -> None:
    def script(sock: socket.socket, request: bytes) -> None:
        threading.Event().wait(0.3)
        sock.sendall(answer(b"", "Location: /again", status="302 Found"))

    limits = Limits(total_seconds=0.8)
    assert failure_of(script, limits=limits) == (LimitExceeded, "total_time")


def test_a_server_that_reads_nothing_ends_a_large_request() -> None:
    with socket.create_server((HOST, 0)) as deaf:
        policy = Policy("hub", listed=Listed.parse([f"{HOST}:{deaf.getsockname()[1]}"]), limits=IMPATIENT)
        url = f"http://{HOST}:{deaf.getsockname()[1]}"
        expected = (LimitExceeded, "silence")
        assert failure(lambda: Client(policy).open("POST", url, body=bytes(50_000_000))) == expected


def test_without_limits_a_body_may_be_of_any_size() -> None:
    limits = Limits(body_bytes=None, decoded_bytes=None, total_seconds=None)
    assert len(body_of(says(answer(bytes(40_000_000))), limits=limits)) == 40_000_000


# --- Bad answers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wire", "expected"), BROKEN.values(), ids=BROKEN)
def test_an_answer_that_breaks_the_protocol_is_refused(wire: bytes, expected: str) -> None:
    assert failure_of(says(wire)) == (BadAnswer, expected)


@pytest.mark.parametrize(
    ("line", "allowed", "status"),
    [
        ("Content-Type: application/json", ("application/json",), "200 OK"),
        ("Content-Type: Application/JSON; charset=utf-8", ("application/json",), "200 OK"),
        ("Content-Type: text/html", ("application/json", "text/"), "200 OK"),
        ("Content-Type: text/html", ("application/json",), "500 Error"),
    ],
)
def test_an_allowed_type_is_read(line: str, allowed: tuple[str, ...], status: str) -> None:
    assert body_of(says(answer(b"hello", line, status=status)), content_types=allowed) == b"hello"


@pytest.mark.parametrize("line", ["Content-Type: text/html", "Content-Type: application/jsonx", "X-None: 1"])
def test_another_type_is_refused(line: str) -> None:
    script = says(answer(b"hello", line))
    assert failure_of(script, content_types=("application/json",)) == (BadAnswer, "content_type")


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("get", {}, "method"),
        ("GET /", {}, "method"),
        ("CONNECT", {}, "method"),
        ("TRACE", {}, "method"),
        ("GET", {"Host": "internal"}, "header"),
        ("GET", {"transfer-encoding": "chunked"}, "header"),
        ("GET", {"Content-Length": "5"}, "header"),
        ("GET", {"X-A": "1\r\nHost: internal"}, "header"),
        ("GET", {"X-A\r\nHost": "internal"}, "header"),
        ("GET", {"X A": "1"}, "header"),
        ("GET", {"X-A": "\u4e2d"}, "header"),
    ],
)
def test_a_request_that_would_smuggle_is_refused(method: str, headers: dict[str, str], expected: str) -> None:
    with Server(says(answer())) as server, recorded_connections() as seen:
        assert failure(lambda: client_for(server).open(method, server.url, headers)) == (Refused, expected)
    assert seen == []


# --- Counting ----------------------------------------------------------------------------------------------


def read(got: Answer) -> None:
    got.read()


def close_after_one(got: Answer) -> None:
    next(iter(got))
    got.close()


@pytest.mark.parametrize(
    ("script", "use", "expected"),
    [
        (says(answer(b"hello")), read, "complete"),
        (says(answer(b"hello", status="500 Error")), read, "complete"),
        (forever(PLAIN, b"a" * 1000), close_after_one, "closed"),
        (forever(PLAIN, b"a" * 1000), read, "limit"),
        (redirects("http://10.0.0.1/"), read, "refused"),
        (redirects("/again"), read, "refused"),
        (says(b"HTTP/0.9"), read, "bad_answer"),
        (says(answer(b"hello", "Content-Length: 9")), read, "bad_answer"),
    ],
)
def test_every_request_is_counted_once_by_purpose_and_outcome(
    script: Script, use: Callable[[Answer], None], expected: str, counted: list[tuple[str, str]]
) -> None:
    with Server(script) as server, suppress(OutboundError), client_for(server).get(server.url) as got:
        use(got)
    assert counted == [("hub", expected)]


def test_a_refused_and_an_unreachable_address_are_counted(counted: list[tuple[str, str]]) -> None:
    failure(lambda: Client(Policy("engine")).get("http://10.0.0.1/"))
    failure(lambda: Client(Policy("hub"), lambda host, port: []).get("http://example.com/"))
    assert counted == [("engine", "refused"), ("hub", "unreachable")]


def test_threads_share_a_client() -> None:
    def script(sock: socket.socket, request: bytes) -> None:
        sock.sendall(answer(request.split(b" ")[1]))

    results: dict[int, bytes] = {}
    with Server(script) as server:
        client = client_for(server)

        def ask(number: int) -> None:
            results[number] = client.get(f"{server.url}/{number}").read()

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert results == {number: f"/{number}".encode() for number in range(8)}
