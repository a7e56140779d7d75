"""The transports give an httpx client the protection of the guarded client, with asyncio and without."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.utils._http import default_client_factory

from inference.base.outbound import (
    Limits,
    Listed,
    OutboundError,
    Policy,
)
from inference.base.outbound.guard import Resolver, system_resolver
from inference.outbound.httpx_exchange import GuardError
from inference.outbound.httpx_transport import AsyncGuardedTransport, GuardedTransport
from tests.inference.hostile_addresses import HOSTILE, NAMES, PUBLIC_V4
from tests.inference.outbound_cases import (
    BROKEN,
    CHUNKED,
    ENDLESS,
    HOSTILE_REDIRECTS,
    IMPATIENT,
    PLAIN,
    SAYING_HELLO,
    SILENT,
    SMALL,
    forever,
    silent,
    slowly,
)
from tests.inference.outbound_servers import (
    HOST,
    Authority,
    Script,
    Server,
    answer,
    recorded_connections,
    redirects,
    says,
)

Send = Callable[..., httpx2.Response]

# httpx2 refuses these itself, before the transport sees them.
INVALID_FOR_HTTPX = {
    *("http://example.com/\r\nHost: internal", "http://example.com/\n", "http://exam\tple.com/"),
    *("http://example.com/\x00", "http://example.com/\x7f", "http://exam\u200bple.com/"),
    *("http://exam\u202eple.com/", "http://exam\u00adple.com/", "http://example.com:0x50/"),
    *("http://example.com:80:80/", "http://[::1/", "http://[]/", "http://[v1.fe80::a]/"),
    *("http://[127.0.0.1]/", "http://[::1]evil.example.com/", "http://0177.0.0.1/", "http://127.0.0.01/"),
    *("http://256.256.256.256/", "http://\uff11\uff12\uff17.0.0.1/", "http://\u2460\u2461\u2466.0.0.1/"),
    "http://\u2113ocalhost/",
}
# httpx2 writes these in another way before the transport sees them, and the result is checked: it is refused
# for another reason, or it names the server example.com, which has no address in these tests ("lookup").
READ_BY_HTTPX_AS = {
    "http://@example.com/": "lookup",
    "http://example.com\\@127.0.0.1/": "user_info",
    "http://example.com/a b": "lookup",
    " http://example.com/": "scheme",
    "http://example.com/\x85": "lookup",
    "http://example.com/\u2028": "lookup",
    "http://example.com/\u3000": "lookup",
    "http://example.com:/": "lookup",
    "http://example.com:+80/": "lookup",
    "http://example.com:080/": "lookup",
    "http://example.com:8_0/": "lookup",
    "http://example.com:\uff18\uff10/": "lookup",
    "http://[::1]:/": "loopback",
    "http:///path": "scheme",
    "http://:80/": "scheme",
    "http://fa\u00df.example.com/": "lookup",
    "http://\u03b2\u03cc\u03bb\u03bf\u03c2.example.com/": "lookup",
}

# The library's parser sees these differently: an unfinished line, and too much at once.
OTHER_REASONS = {"HTTP/0.9": "cut", "SSH": "cut", "trailers": "malformed"}


def send_plain(
    policy: Policy, url: str, resolver: Resolver = system_resolver, **options: Any
) -> httpx2.Response:
    transport = GuardedTransport(policy, resolver)
    with httpx2.Client(transport=transport, trust_env=False, follow_redirects=True, timeout=None) as client:
        return client.request(options.pop("method", "GET"), url, **options)


def send_async(
    policy: Policy, url: str, resolver: Resolver = system_resolver, **options: Any
) -> httpx2.Response:
    async def run() -> httpx2.Response:
        transport = AsyncGuardedTransport(policy, resolver)
        async with httpx2.AsyncClient(
            transport=transport, trust_env=False, follow_redirects=True, timeout=None
        ) as client:
            return await client.request(options.pop("method", "GET"), url, **options)

    return asyncio.run(run())


@pytest.fixture(params=[send_plain, send_async], ids=["sync", "async"])
def send(request: pytest.FixtureRequest) -> Send:
    return request.param


def policy_for(*servers: Server, purpose: str = "hub", limits: Limits = SMALL, **options: Any) -> Policy:
    listed = Listed.parse(f"{HOST}:{server.port}" for server in servers)
    return Policy(purpose, listed=listed, limits=limits, **options)


def failure(run: Callable[[], object]) -> str:
    with pytest.raises(httpx2.TransportError) as error:
        run()
    assert isinstance(error.value.__cause__, OutboundError)
    assert str(error.value) == str(error.value.__cause__)
    return error.value.__cause__.reason


def failure_of(send: Send, script: Script, *, limits: Limits = SMALL, **options: Any) -> str:
    with Server(script) as server:
        return failure(lambda: send(policy_for(server, limits=limits, **options), server.url))


# --- Addresses ---------------------------------------------------------------------------------------------


def without_example_com(host: str, port: int) -> list[str]:
    return [] if NAMES.get(host) == [PUBLIC_V4] else NAMES.get(host, [])


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[str, Any]]:
    """One client of each kind for the whole table, because loading certificates takes a while."""
    plain = httpx2.Client(transport=GuardedTransport(Policy("hub"), without_example_com), trust_env=False)
    with asyncio.Runner() as runner:
        other = httpx2.AsyncClient(
            transport=AsyncGuardedTransport(Policy("hub"), without_example_com), trust_env=False
        )
        yield {"sync": plain.get, "async": lambda url: runner.run(other.get(url))}
        runner.run(other.aclose())
    plain.close()


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(
    ("url", "expected"),
    [(url, READ_BY_HTTPX_AS.get(url, reason)) for url, reason in HOSTILE if url not in INVALID_FOR_HTTPX],
    ids=lambda value: ascii(value)[:60],
)
def test_a_hostile_address_is_refused_without_a_connection(
    clients: dict[str, Any], kind: str, url: str, expected: str
) -> None:
    with recorded_connections() as seen:
        assert failure(lambda: clients[kind](url)) == expected
    assert seen == []


@pytest.mark.parametrize("url", sorted(INVALID_FOR_HTTPX), ids=lambda value: ascii(value)[:60])
def test_an_address_that_httpx_refuses_itself_is_in_the_table(clients: dict[str, Any], url: str) -> None:
    assert url in dict(HOSTILE)
    with recorded_connections() as seen, pytest.raises(httpx2.InvalidURL):
        clients["sync"](url)
    assert seen == []


def test_an_entry_of_the_operators_list_allows_a_private_address(send: Send) -> None:
    with Server(says(answer(b"hello"))) as server:
        got = send(policy_for(server), f"{server.url}/a?b=c")
        assert (got.status_code, got.content) == (200, b"hello")
    assert server.requests[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")
    assert server.requests[0].count(f"Host: {HOST}:{server.port}\r\n".encode()) == 1


def test_the_name_is_looked_up_once_and_a_later_answer_changes_nothing(send: Send) -> None:
    with Server(says(answer(b"first"))) as server:
        answers = iter([["127.0.0.1"], ["127.0.0.2"]])
        policy = Policy("hub", listed=Listed.parse([f"127.0.0.1:{server.port}"]))
        url = f"http://rebind.example.com:{server.port}/"

        def resolver(host: str, port: int) -> list[str]:
            return next(answers)

        with recorded_connections() as seen:
            assert send(policy, url, resolver).content == b"first"
            assert failure(lambda: send(policy, url, resolver)) == "loopback"
    assert [address[:2] for address in seen] == [("127.0.0.1", server.port)]
    assert f"Host: rebind.example.com:{server.port}\r\n".encode() in server.requests[0]


def test_the_next_address_is_tried_when_one_does_not_answer(send: Send) -> None:
    policy = Policy("hub", listed=Listed.parse(["127.0.0.0/8"]))
    with Server(says(answer(b"second"))) as server:
        url = f"http://two.example.com:{server.port}/"
        assert send(policy, url, lambda host, port: ["127.0.0.9", "127.0.0.1"]).content == b"second"
        failed = failure(lambda: send(policy, url, lambda host, port: ["127.0.0.9"]))
    assert failed == "connect"


# --- Answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire", SAYING_HELLO.values(), ids=SAYING_HELLO)
def test_a_body_is_read_in_every_form_of_http(send: Send, wire: bytes) -> None:
    with Server(says(wire)) as server:
        assert send(policy_for(server), server.url).content == b"hello"


def test_a_compressed_body_is_decoded_once_by_the_transport(send: Send) -> None:
    text = bytes(range(256)) * 700
    with Server(says(answer(gzip.compress(text), "Content-Encoding: gzip", "X-A: 1"))) as server:
        got = send(policy_for(server), server.url, headers={"Accept-Encoding": "br, zstd"})
    assert got.content == text
    assert got.headers["x-a"] == "1"
    assert not {"content-encoding", "content-length"} & set(got.headers)
    assert b"Accept-Encoding: gzip, deflate\r\n" in server.requests[0]


def test_head_keeps_the_length_and_reads_no_body(send: Send) -> None:
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\nContent-Encoding: br\r\n\r\n"
    with Server(silent(wire)) as server:
        got = send(policy_for(server), server.url, method="HEAD", headers={"Accept-Encoding": "identity"})
    assert got.headers["content-length"] == "5000000"
    assert b"Accept-Encoding: identity\r\n" in server.requests[0]


@pytest.mark.parametrize("name", ENDLESS)
def test_an_endless_answer_ends_at_its_limit(send: Send, name: str) -> None:
    script, reason = ENDLESS[name]
    assert failure_of(send, script) == OTHER_REASONS.get(name, reason)


@pytest.mark.parametrize("start", SILENT.values(), ids=SILENT)
def test_silence_ends_a_request_at_every_point(send: Send, start: bytes) -> None:
    assert failure_of(send, silent(start), limits=IMPATIENT) == "silence"


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX-Slow: ", PLAIN, CHUNKED + b"fff\r\n"])
def test_a_byte_now_and_then_does_not_extend_the_total_time(send: Send, start: bytes) -> None:
    limits = Limits(silent_seconds=10, total_seconds=0.5)
    assert failure_of(send, slowly(start, b"a", 0.05), limits=limits) == "total_time"


@pytest.mark.parametrize("name", BROKEN)
def test_an_answer_that_breaks_the_protocol_is_refused(send: Send, name: str) -> None:
    wire, reason = BROKEN[name]
    assert failure_of(send, says(wire)) == OTHER_REASONS.get(name, reason)


def test_another_type_is_refused(send: Send) -> None:
    script = says(answer(b"hello", "Content-Type: text/html"))
    assert failure_of(send, script, content_types=("application/json",)) == "content_type"


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
def test_a_method_for_proxies_is_refused(send: Send, method: str) -> None:
    with Server(says(answer())) as server:
        assert failure(lambda: send(policy_for(server), server.url, method=method)) == "method"
    assert server.requests == []


def test_only_errors_that_may_pass_are_of_the_kinds_that_libraries_try_again(send: Send) -> None:
    passing = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError)
    assert not issubclass(GuardError, passing)
    with pytest.raises(GuardError):
        send(Policy("hub"), "http://10.0.0.1/")
    with Server(silent(b"")) as server, pytest.raises(httpx2.TimeoutException):
        send(policy_for(server, limits=IMPATIENT), server.url)
    with Server(says(b"")) as server, pytest.raises(httpx2.RemoteProtocolError):
        send(policy_for(server), server.url)


def test_no_message_contains_a_part_of_the_answer(send: Send) -> None:
    script = says(b"HTTP/1.1 200 OK\r\ncanary canary\r\n\r\n")
    with Server(script) as server, pytest.raises(httpx2.TransportError) as error:
        send(policy_for(server), f"{server.url}/canary?canary")
    assert "canary" not in f"{error.value} {error.value.__cause__}"


def test_a_stream_gives_pieces_early_and_hangs_up_when_closed() -> None:
    hung_up = threading.Event()

    def script(sock: socket.socket, request: bytes) -> None:
        sock.sendall(PLAIN + b"first")
        assert sock.recv(1) == b""
        hung_up.set()

    with (
        Server(script) as server,
        httpx2.Client(transport=GuardedTransport(policy_for(server)), trust_env=False) as client,
    ):
        with client.stream("GET", server.url) as got:
            assert next(got.iter_bytes()) == b"first"
        assert hung_up.wait(20)


async def test_a_cancelled_stream_hangs_up() -> None:
    hung_up = threading.Event()

    def script(sock: socket.socket, request: bytes) -> None:
        sock.sendall(PLAIN + b"first")
        assert sock.recv(1) == b""
        hung_up.set()

    with Server(script) as server:
        transport = AsyncGuardedTransport(policy_for(server))
        async with httpx2.AsyncClient(transport=transport, trust_env=False) as client:
            first = asyncio.Event()

            async def read() -> None:
                async with client.stream("GET", server.url) as got:
                    async for _ in got.aiter_bytes():
                        first.set()

            reading = asyncio.create_task(read())
            await first.wait()
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        assert await asyncio.to_thread(hung_up.wait, 20)


# --- Redirects ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("location", "expected"), HOSTILE_REDIRECTS)
def test_a_redirect_is_checked_as_a_first_address_is(send: Send, location: str, expected: str) -> None:
    with recorded_connections() as seen:
        assert failure_of(send, redirects(location)) == expected
    assert len(seen) == 1


def test_a_loop_of_redirects_ends(send: Send) -> None:
    with Server(redirects("/again")) as server:
        assert failure(lambda: send(policy_for(server), server.url)) == "too_many_redirects"
    assert len(server.requests) == 6


def test_redirects_share_one_total_time(send: Send) -> None:
    def script(sock: socket.socket, request: bytes) -> None:
        threading.Event().wait(0.3)
        sock.sendall(answer(b"", "Location: /again", status="302 Found"))

    assert failure_of(send, script, limits=Limits(total_seconds=0.8)) == "total_time"


def test_an_engine_follows_no_redirect(send: Send) -> None:
    with Server(redirects("/again")) as server:
        assert failure(lambda: send(policy_for(server, purpose="engine"), server.url)) == "redirect"
    assert len(server.requests) == 1


def test_a_redirect_to_another_origin_loses_every_credential(send: Send) -> None:
    secrets = {"Authorization": "Bearer canary", "X-Api-Key": "canary", "Accept": "text/x"}
    with Server(says(answer(b"there"))) as other, Server(redirects(f"{other.url}/b")) as server:
        assert send(policy_for(server, other), server.url, headers=secrets).content == b"there"
    assert server.requests[0].count(b"canary") == 2
    assert b"canary" not in other.requests[0]
    assert b"Accept: text/x" in other.requests[0]


def test_a_redirect_with_a_body_to_another_origin_is_refused(send: Send) -> None:
    with Server(says(answer())) as other, Server(redirects(other.url, "307 Moved")) as server:
        policy = policy_for(server, other)
        ask = {"method": "POST", "content": b"question"}
        assert failure(lambda: send(policy, server.url, **ask)) == "redirect_with_body"
    assert other.requests == []


# --- Certificates ------------------------------------------------------------------------------------------


def secure(send: Send, server: Server, authority: Authority) -> httpx2.Response:
    policy = Policy("hub", listed=Listed.parse(["127.0.0.0/8"]), tls=authority.trusting(), limits=SMALL)
    return send(policy, f"https://secure.example.com:{server.port}/", lambda host, port: [HOST])


def test_the_certificate_is_checked_against_the_name_of_the_url(send: Send, authority: Authority) -> None:
    with Server(says(answer(b"secret")), authority.serving("secure.example.com")) as server:
        assert secure(send, server, authority).content == b"secret"


@pytest.mark.parametrize("name", ["other.example.com", HOST])
def test_a_certificate_for_another_name_is_refused(send: Send, authority: Authority, name: str) -> None:
    with Server(says(answer()), authority.serving(name)) as server:
        assert failure(lambda: secure(send, server, authority)) == "certificate"
    assert server.requests == []


def test_an_unknown_authority_is_refused(send: Send, authority: Authority, tmp_path: Path) -> None:
    with Server(says(answer()), Authority(tmp_path).serving("secure.example.com")) as server:
        assert failure(lambda: secure(send, server, authority)) == "certificate"


def test_a_server_without_tls_is_unreachable_over_https(send: Send, authority: Authority) -> None:
    with Server(says(answer())) as server:
        assert failure(lambda: secure(send, server, authority)) == "tls"


def test_a_redirect_from_https_to_http_is_refused(send: Send, authority: Authority) -> None:
    with (
        Server(says(answer())) as plain,
        Server(redirects(plain.url), authority.serving("secure.example.com")) as server,
    ):
        assert failure(lambda: secure(send, server, authority)) == "downgrade"
    assert plain.requests == []


# --- Counting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (says(answer(b"hello")), "complete"),
        (forever(PLAIN, b"a" * 1000), "limit"),
        (redirects("http://10.0.0.1/"), "refused"),
        (says(b"HTTP/0.9"), "bad_answer"),
        (says(answer(b"hello", "Content-Length: 9")), "bad_answer"),
    ],
)
def test_every_request_is_counted_once_by_purpose_and_outcome(
    send: Send, script: Script, expected: str, counted: list[tuple[str, str]]
) -> None:
    with Server(script) as server, suppress(httpx2.TransportError):
        send(policy_for(server), server.url)
    assert counted == [("hub", expected)]


# --- A library ---------------------------------------------------------------------------------------------


def test_huggingface_hub_opens_all_its_connections_through_the_transport(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: list[tuple[str, str]]
) -> None:
    registry = (
        tmp_path / "harnesses.json"
    )  # else the library asks huggingface.co for it, whatever the endpoint
    registry.write_text('{"standardEnvVars": [], "harnesses": {}}')
    text = b'{"model_type": "grok-1"}'
    lines = ('ETag: "a1"', f"X-Repo-Commit: {'c' * 40}", f"Content-Length: {len(text)}")

    def script(sock: socket.socket, request: bytes) -> None:
        sock.sendall(answer(b"" if request.startswith(b"HEAD") else text, *lines))

    with Server(script) as server, recorded_connections() as seen:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "AGENT_HARNESSES_PATH", str(registry))
        transport = GuardedTransport(policy_for(server))
        huggingface_hub.set_client_factory(lambda: httpx2.Client(transport=transport, trust_env=False))
        try:
            path = huggingface_hub.hf_hub_download(
                "a/b", "config.json", endpoint=server.url, local_dir=tmp_path, token=False
            )
        finally:
            huggingface_hub.set_client_factory(default_client_factory)
    assert Path(path).read_bytes() == text
    assert seen == [(HOST, server.port)] * 2
    assert counted == [("hub", "complete")] * 2
