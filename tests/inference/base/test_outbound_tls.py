"""The guarded client checks the name and the certificate of the server that it reaches."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from inference.base.outbound import Client, Limits, Listed, Policy, Refused, Unreachable
from tests.inference.outbound_cases import SMALL
from tests.inference.outbound_clients import client_for, failure
from tests.inference.outbound_servers import (
    HOST,
    Authority,
    Server,
    answer,
    recorded_connections,
    redirects,
    says,
)


def test_the_name_is_looked_up_once_and_a_later_answer_changes_nothing() -> None:
    """A name that first leads to an allowed address and then to a private one: DNS rebinding."""
    with Server(says(answer(b"first"))) as server:
        answers = iter([["127.0.0.1"], ["127.0.0.2"]])
        policy = Policy("hub", listed=Listed.parse([f"127.0.0.1:{server.port}"]))
        client = Client(policy, lambda host, port: next(answers))
        url = f"http://rebind.example.com:{server.port}/"
        with recorded_connections() as seen:
            assert client.get(url).read() == b"first"
            assert failure(lambda: client.get(url)) == (Refused, "loopback")
    assert seen == [("127.0.0.1", server.port)]
    assert f"Host: rebind.example.com:{server.port}\r\n".encode() in server.requests[0]


def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    with Server(says(answer(b"second"))) as server:
        client = Client(
            Policy("hub", listed=Listed.parse(["127.0.0.0/8"])), lambda host, port: ["127.0.0.9", "127.0.0.1"]
        )
        assert client.get(f"http://two.example.com:{server.port}/").read() == b"second"


def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(says(answer(b"direct"))) as server, Server(says(answer(b"proxy"))) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert client_for(server).get(server.url).read() == b"direct"
    assert proxy.requests == []


def test_nothing_listens() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
    policy = Policy("hub", listed=Listed.parse([f"{HOST}:{port}"]))
    assert failure(lambda: Client(policy).get(f"http://{HOST}:{port}")) == (Unreachable, "connect")


def secure_client(server: Server, authority: Authority, limits: Limits = SMALL) -> Client:
    policy = Policy("hub", listed=Listed.parse(["127.0.0.0/8"]), tls=authority.trusting(), limits=limits)
    return Client(policy, lambda host, port: [HOST])


@pytest.mark.parametrize("name", ["secure.example.com", HOST])
def test_the_certificate_is_checked_against_the_name_of_the_url(authority: Authority, name: str) -> None:
    with Server(says(answer(b"secret")), authority.serving(name)) as server:
        client = secure_client(server, authority)
        assert client.get(f"https://{name}:{server.port}/").read() == b"secret"


@pytest.mark.parametrize(
    ("names", "options"),
    [(["other.example.com"], {}), ([HOST], {}), (["secure.example.com"], {"expired": True})],
)
def test_a_wrong_certificate_is_refused(
    authority: Authority, names: list[str], options: dict[str, bool]
) -> None:
    with Server(says(answer()), authority.serving(*names, **options)) as server:
        url = f"https://secure.example.com:{server.port}/"
        expected = (Unreachable, "certificate")
        assert failure(lambda: secure_client(server, authority).get(url)) == expected
    assert server.requests == []


def test_an_unknown_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    with Server(says(answer()), Authority(tmp_path).serving("secure.example.com")) as server:
        url = f"https://secure.example.com:{server.port}/"
        expected = (Unreachable, "certificate")
        assert failure(lambda: secure_client(server, authority).get(url)) == expected


def test_a_server_without_tls_is_unreachable_over_https(authority: Authority) -> None:
    with Server(says(answer())) as server:
        url = f"https://secure.example.com:{server.port}/"
        assert failure(lambda: secure_client(server, authority).get(url)) == (Unreachable, "tls")


def test_a_handshake_that_stalls_ends(authority: Authority) -> None:
    with socket.create_server((HOST, 0)) as mute:
        policy = Policy(
            "hub",
            listed=Listed.parse([f"{HOST}:{mute.getsockname()[1]}"]),
            limits=Limits(connect_seconds=0.2),
            tls=authority.trusting(),
        )
        url = f"https://{HOST}:{mute.getsockname()[1]}/"
        assert failure(lambda: Client(policy).get(url)) == (Unreachable, "tls")


def test_a_redirect_from_https_to_http_is_refused(authority: Authority) -> None:
    with (
        Server(says(answer())) as plain,
        Server(redirects(plain.url), authority.serving("secure.example.com")) as server,
    ):
        url = f"https://secure.example.com:{server.port}/"
        assert failure(lambda: secure_client(server, authority).get(url)) == (Refused, "downgrade")
    assert plain.requests == []
