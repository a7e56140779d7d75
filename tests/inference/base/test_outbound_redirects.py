"""The guarded client follows redirects within its limits, and gives no credentials to another origin."""

from __future__ import annotations

import socket

import pytest

from inference.base.outbound import Refused
from tests.inference.outbound_cases import HOSTILE_REDIRECTS
from tests.inference.outbound_clients import client_for, failure, failure_of
from tests.inference.outbound_servers import Server, answer, recorded_connections, redirects, says


def test_a_redirect_is_followed_and_keeps_its_headers_within_one_origin() -> None:
    def script(sock: socket.socket, request: bytes) -> None:
        moved = answer(b"", "Location: sub/b?x=1", status="307 Temporary Redirect")
        sock.sendall(moved if request.startswith(b"POST /a HTTP") else answer(b"there"))

    with Server(script) as server:
        got = client_for(server).open("POST", f"{server.url}/a", {"Authorization": "Bearer x"}, b"question")
        assert got.read() == b"there"
    assert server.requests[1].startswith(b"POST /sub/b?x=1 HTTP")
    assert b"Bearer x" in server.requests[1]
    assert server.requests[1].endswith(b"question")


@pytest.mark.parametrize(
    ("status", "method", "expected"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "HEAD", "HEAD"),
        (301, "HEAD", "HEAD"),
    ],
)
def test_a_redirect_changes_the_method_as_in_browsers(status: int, method: str, expected: str) -> None:
    def script(sock: socket.socket, request: bytes) -> None:
        moved = answer(b"", "Location: /b", status=f"{status} Moved")
        sock.sendall(moved if b" /a HTTP" in request else answer(b""))

    with Server(script) as server:
        client_for(server).open(method, f"{server.url}/a", body=b"x" if method == "POST" else None).read()
    assert server.requests[1].startswith(f"{expected} /b HTTP".encode())
    assert server.requests[1].endswith(b"\r\n\r\n")


def test_a_redirect_to_another_origin_loses_every_credential() -> None:
    secrets = {
        "Authorization": "Bearer canary",
        "Cookie": "canary=1",
        "X-Api-Key": "canary",
        "Accept": "text/x",
    }
    with Server(says(answer(b"there"))) as other, Server(redirects(f"{other.url}/b")) as server:
        assert client_for(server, other).open("GET", server.url, secrets).read() == b"there"
    assert server.requests[0].count(b"canary") == 3
    assert b"canary" not in other.requests[0]
    assert b"Accept: text/x" in other.requests[0]


def test_a_redirect_with_a_body_to_another_origin_is_refused() -> None:
    with Server(says(answer())) as other, Server(redirects(other.url, "307 Moved")) as server:
        send = client_for(server, other).open
        assert failure(lambda: send("POST", server.url, body=b"q")) == (Refused, "redirect_with_body")
    assert other.requests == []


@pytest.mark.parametrize(("location", "expected"), HOSTILE_REDIRECTS)
def test_a_redirect_is_checked_as_a_first_address_is(location: str, expected: str) -> None:
    with recorded_connections() as seen:
        assert failure_of(redirects(location)) == (Refused, expected)
    assert len(seen) == 1


def test_a_loop_of_redirects_ends() -> None:
    with Server(redirects("/again")) as server:
        assert failure(lambda: client_for(server).get(server.url)) == (Refused, "too_many_redirects")
    assert len(server.requests) == 6


def test_a_redirect_without_a_place_is_an_ordinary_answer() -> None:
    with Server(says(answer(b"choose", status="302 Found"))) as server:
        got = client_for(server).get(server.url)
        assert (got.status, got.read()) == (302, b"choose")


def test_an_engine_follows_no_redirect() -> None:
    with Server(redirects("/again")) as server:
        client = client_for(server, purpose="engine")
        assert failure(lambda: client.get(server.url)) == (Refused, "redirect")
    assert len(server.requests) == 1
