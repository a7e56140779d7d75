"""The session gives a library that uses requests the protection of the guarded client."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from inference.base.outbound import Listed, OutboundError, Policy, count_with
from inference.outbound.requests_adapter import GuardedSession
from tests.inference.hostile_addresses import HOSTILE, NAMES, PUBLIC_V4
from tests.inference.outbound_cases import (
    BROKEN,
    ENDLESS,
    HOSTILE_REDIRECTS,
    IMPATIENT,
    PLAIN,
    SAYING_HELLO,
    SILENT,
    SMALL,
    silent,
)
from tests.inference.outbound_servers import (
    HOST,
    Authority,
    Server,
    answer,
    recorded_connections,
    redirects,
    says,
)

# Requests refuses these itself, or has no adapter for them.
INVALID_FOR_REQUESTS = {
    *("file:///etc/passwd", "ftp://example.com/", "gopher://example.com:70/_x", "dict://example.com:2628/d"),
    *("javascript:alert(1)", "data:text/plain,hello", "unix:///var/run/docker.sock", "//example.com/"),
    *("http+unix://%2Fvar%2Frun%2Fdocker.sock/info", "example.com", "/etc/passwd", "http:example.com"),
    *("http:/example.com", "", "http:\\\\127.0.0.1\\", "http://exam\tple.com/", "http://exam\u200bple.com/"),
    *("http://exam\u202eple.com/", "http://exam\u00adple.com/", "http://example.com:65536/"),
    *("http://example.com:99999999999/", "http://example.com:+80/", "http://example.com:-1/"),
    *("http://example.com:8_0/", "http://example.com:0x50/", "http://example.com:\uff18\uff10/"),
    *("http://example.com:80:80/", "http:///path", "http://:80/", "http://./", "http://.example.com/"),
    *("http://127.0.0.1%00.example.com/", "http://[::1/", "http://[]/", "http://[v1.fe80::a]/"),
    *("http://[127.0.0.1]/", "http://[::1]evil.example.com/", "http://\uff11\uff12\uff17.0.0.1/"),
    *("http://127\u30020\u30020\u30021/", "http://\u2460\u2461\u2466.0.0.1/", "http://\u2113ocalhost/"),
}
# Requests writes these in another way before the adapter sees them, and the result is checked: it is refused
# for another reason, or it names the server example.com, which has no address in these tests ("lookup").
READ_BY_REQUESTS_AS = {
    "http://@example.com/": "lookup",
    "http://example.com\\@127.0.0.1/": "lookup",
    "http://example.com/a b": "lookup",
    " http://example.com/": "lookup",
    "http://example.com/\r\nHost: internal": "lookup",
    "http://example.com/\n": "lookup",
    "http://example.com/\x00": "lookup",
    "http://example.com/\x7f": "lookup",
    "http://example.com/\x85": "lookup",
    "http://example.com/\u2028": "lookup",
    "http://example.com/\u3000": "lookup",
    "http://example.com:/": "lookup",
    "http://example.com:0/": "lookup",
    "http://example.com:080/": "lookup",
    "http://[::1]:/": "loopback",
    "http://%31%32%37.0.0.1/": "loopback",
    "http://fa\u00df.example.com/": "lookup",
    "http://\u03b2\u03cc\u03bb\u03bf\u03c2.example.com/": "lookup",
}


def policy_for(*servers: Server, purpose: str = "hub", limits: Any = SMALL, **options: Any) -> Policy:
    listed = Listed.parse(f"{HOST}:{server.port}" for server in servers)
    return Policy(purpose, listed=listed, limits=limits, **options)


def session_for(*servers: Server, **options: Any) -> GuardedSession:
    return GuardedSession(policy_for(*servers, **options))


def failure(run: Callable[[], object]) -> str:
    with pytest.raises(requests.RequestException) as error:
        run()
    assert isinstance(error.value.__cause__, OutboundError)
    assert str(error.value) == str(error.value.__cause__)
    return error.value.__cause__.reason


def without_example_com(host: str, port: int) -> list[str]:
    return [] if NAMES.get(host) == [PUBLIC_V4] else NAMES.get(host, [])


@pytest.fixture(scope="module")
def session() -> GuardedSession:
    return GuardedSession(Policy("hub"), without_example_com)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (url, READ_BY_REQUESTS_AS.get(url, reason))
        for url, reason in HOSTILE
        if url not in INVALID_FOR_REQUESTS
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_a_hostile_address_is_refused_without_a_connection(
    session: GuardedSession, url: str, expected: str
) -> None:
    with recorded_connections() as seen:
        assert failure(lambda: session.get(url)) == expected
    assert seen == []


@pytest.mark.parametrize("url", sorted(INVALID_FOR_REQUESTS), ids=lambda value: ascii(value)[:60])
def test_an_address_that_requests_refuses_itself_is_in_the_table(session: GuardedSession, url: str) -> None:
    assert url in dict(HOSTILE)
    with recorded_connections() as seen, pytest.raises(requests.RequestException) as error:
        session.get(url)
    assert isinstance(error.value, ValueError)  # InvalidURL, InvalidSchema and MissingSchema are
    assert seen == []


@pytest.mark.parametrize("wire", SAYING_HELLO.values(), ids=SAYING_HELLO)
def test_a_body_is_read_in_every_form_of_http(wire: bytes) -> None:
    with Server(says(wire)) as server:
        assert session_for(server).get(server.url).content == b"hello"


def test_an_answer_has_status_headers_and_text() -> None:
    wire = answer(
        gzip.compress('"é"'.encode()), "Content-Type: text/plain; charset=utf-8", "Content-Encoding: gzip"
    )
    with Server(says(wire)) as server:
        got = session_for(server).post(
            f"{server.url}/a?b=c", json={"q": 1}, headers={"Authorization": "Bearer x"}
        )
    assert (got.status_code, got.reason, got.text, got.json()) == (200, "OK", '"é"', "é")
    assert "content-encoding" not in got.headers
    assert server.requests[0].startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert b"Bearer x" in server.requests[0]
    assert server.requests[0].endswith(b'\r\n\r\n{"q": 1}')


@pytest.mark.parametrize(("script", "expected"), ENDLESS.values(), ids=ENDLESS)
def test_an_endless_answer_ends_at_its_limit(script: Any, expected: str) -> None:
    with Server(script) as server:
        assert failure(lambda: session_for(server).get(server.url)) == expected


@pytest.mark.parametrize("start", SILENT.values(), ids=SILENT)
def test_silence_ends_a_request_at_every_point(start: bytes) -> None:
    with Server(silent(start)) as server:
        assert failure(lambda: session_for(server, limits=IMPATIENT).get(server.url)) == "silence"


@pytest.mark.parametrize(("wire", "expected"), BROKEN.values(), ids=BROKEN)
def test_an_answer_that_breaks_the_protocol_is_refused(wire: bytes, expected: str) -> None:
    with Server(says(wire)) as server:
        assert failure(lambda: session_for(server).get(server.url)) == expected


@pytest.mark.parametrize(("location", "expected"), HOSTILE_REDIRECTS)
def test_a_redirect_is_checked_as_a_first_address_is(location: str, expected: str) -> None:
    with Server(redirects(location)) as server, recorded_connections() as seen:
        assert failure(lambda: session_for(server).get(server.url)) == expected
    assert len(seen) == 1


def test_a_redirect_is_followed_and_a_loop_ends() -> None:
    def script(sock: socket.socket, request: bytes) -> None:
        sock.sendall(
            answer(b"there") if b" /b " in request else answer(b"", "Location: b", status="302 Found")
        )

    with Server(script) as server:
        got = session_for(server).get(f"{server.url}/a")
        assert (got.content, got.url, len(got.history)) == (b"there", f"{server.url}/b", 1)
    with Server(redirects("/again")) as server, pytest.raises(requests.TooManyRedirects):
        session_for(server).get(server.url)
    assert len(server.requests) == 6


def test_an_engine_follows_no_redirect() -> None:
    with Server(redirects("/again")) as server:
        assert failure(lambda: session_for(server, purpose="engine").get(server.url)) == "redirect"
    assert len(server.requests) == 1


def test_a_redirect_to_another_origin_loses_every_credential() -> None:
    secrets = {"Authorization": "Bearer canary", "X-Api-Key": "canary", "Accept": "text/x"}
    with Server(says(answer(b"there"))) as other, Server(redirects(f"{other.url}/b")) as server:
        assert session_for(server, other).get(server.url, headers=secrets).content == b"there"
    assert server.requests[0].count(b"canary") == 2
    assert b"canary" not in other.requests[0]
    assert b"Accept: text/x" in other.requests[0]


def test_a_redirect_with_a_body_to_another_origin_is_refused() -> None:
    with Server(says(answer())) as other, Server(redirects(other.url, "307 Moved")) as server:
        post = session_for(server, other).post
        assert failure(lambda: post(server.url, data=b"question")) == "redirect_with_body"
    assert other.requests == []


def test_neither_verify_nor_the_environment_weakens_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    authority, stranger = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    policy = Policy("hub", listed=Listed.parse(["127.0.0.0/8"]), tls=authority.trusting(), limits=SMALL)
    with Server(says(answer(b"proxy"))) as proxy:
        for name in ("http_proxy", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        with Server(says(answer(b"secret")), authority.serving("secure.example.com")) as server:
            session = GuardedSession(policy, lambda host, port: [HOST])
            assert session.get(f"https://secure.example.com:{server.port}/").content == b"secret"
        with Server(says(answer()), stranger.serving("secure.example.com")) as server:
            url = f"https://secure.example.com:{server.port}/"
            assert failure(lambda: session.get(url, verify=False)) == "certificate"
    assert proxy.requests == []


def test_a_stream_gives_pieces_early_and_hangs_up_when_closed() -> None:
    hung_up = threading.Event()
    counted: list[tuple[str, str]] = []

    def script(sock: socket.socket, request: bytes) -> None:
        sock.sendall(PLAIN + b"first")
        assert sock.recv(1) == b""
        hung_up.set()

    stop = count_with(lambda purpose, outcome: counted.append((purpose, outcome)))
    with Server(script) as server:
        got = session_for(server).get(server.url, stream=True)
        assert next(got.iter_content(3)) == b"fir"
        got.close()
        assert hung_up.wait(20)
    stop()
    assert counted == [("hub", "closed")]
