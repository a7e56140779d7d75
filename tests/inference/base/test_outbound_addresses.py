"""The guarded client refuses hostile addresses before it opens a socket, and reads good ones in one way."""

from __future__ import annotations

import ssl
import threading
from dataclasses import replace

import pytest

from inference.base.outbound import Client, Limits, Listed, Policy, Refused, Unreachable
from inference.base.outbound.addresses import parse_url
from inference.base.outbound.errors import REASONS
from inference.base.outbound.guard import Guard
from tests.inference.hostile_addresses import ALLOWED, HOSTILE, resolve
from tests.inference.outbound_servers import recorded_connections

HUB = Policy("hub")


def shown(url: str) -> str:
    return ascii(url)[:60]


def listed(*entries: str) -> Policy:
    return Policy("hub", listed=Listed.parse(entries))


def addresses(policy: Policy, url: str, answers: list[str] | None = None) -> list[str]:
    guard = Guard(policy, (lambda host, port: answers) if answers else resolve)
    return [str(address) for address in guard.addresses(guard.target(url), 5)]


def reason(policy: Policy, url: str, answers: list[str] | None = None) -> str:
    with pytest.raises(Refused) as refused:
        addresses(policy, url, answers)
    return refused.value.reason


@pytest.mark.parametrize(("url", "expected"), HOSTILE, ids=[shown(url) for url, _ in HOSTILE])
def test_a_hostile_address_is_refused_without_a_connection(url: str, expected: str) -> None:
    with recorded_connections() as seen, pytest.raises(Refused) as refused:
        Client(HUB, resolve).get(url)
    assert refused.value.reason == expected
    assert seen == []


def test_there_are_more_than_a_hundred_hostile_addresses_and_none_twice() -> None:
    assert len({url for url, _ in HOSTILE}) == len(HOSTILE) > 150
    assert {expected for _, expected in HOSTILE} < set(REASONS)


@pytest.mark.parametrize(("url", "host", "expected"), ALLOWED, ids=[shown(url) for url, *_ in ALLOWED])
def test_an_ordinary_address_is_allowed_and_read_in_one_way(url: str, host: str, expected: list[str]) -> None:
    target = parse_url(url)
    assert target.authority == host
    assert parse_url(target.url) == target
    assert addresses(HUB, url) == expected


def test_no_message_contains_the_address() -> None:
    for url, _ in HOSTILE:
        with pytest.raises(Refused) as refused:
            Client(HUB, resolve).get(url)
        assert str(refused.value) == REASONS[refused.value.reason]
        assert refused.value.__cause__ is None


def test_a_target_shows_neither_path_nor_query() -> None:
    assert "canary" not in repr(parse_url("https://example.com/canary?canary=canary"))


@pytest.mark.parametrize(
    ("entry", "url", "answers"),
    [
        ("10.0.0.0/8", "http://10.1.2.3:8000/", None),
        ("10.1.2.3", "http://10.1.2.3:8000/", None),
        ("10.1.2.3:8000", "http://10.1.2.3:8000/", None),
        ("10.1.2.3", "http://[::ffff:10.1.2.3]/", None),
        ("fd00::/8", "http://[fd00::1]/", None),
        ("fd00::1", "http://[fd00::1]:9000/", None),
        ("[fd00::1]:9000", "http://[fd00::1]:9000/", None),
        ("127.0.0.1:8000", "http://127.0.0.1:8000/", None),
        ("100.64.0.0/10", "http://100.64.3.4/", None),
        ("gpu-box", "http://gpu-box:8000/", ["10.1.2.3"]),
        ("gpu-box:8000", "http://GPU-BOX:8000/", ["10.1.2.3"]),
        ("gpu-box", "http://gpu-box/", ["93.184.215.14"]),
        ("10.0.0.0/8", "http://gpu-box:8000/", ["10.1.2.3"]),
        ("10.0.0.0/8", "http://gpu.example.com/", ["10.1.2.3"]),
        ("localhost:8000", "http://localhost:8000/", ["::1", "127.0.0.1"]),
        ("example.com:25", "http://example.com:25/", None),
        ("10.1.2.3:6379", "http://10.1.2.3:6379/", None),
    ],
)
def test_an_entry_of_the_operators_list_allows_it(entry: str, url: str, answers: list[str] | None) -> None:
    assert addresses(listed(entry), url, answers)


@pytest.mark.parametrize(
    ("entry", "url", "answers", "expected"),
    [
        ("10.0.0.0/8", "http://192.168.1.1/", None, "private"),
        ("10.1.2.3:8000", "http://10.1.2.3:8001/", None, "private"),
        ("gpu-box:8000", "http://gpu-box:8001/", ["10.1.2.3"], "local_name"),
        ("gpu-box", "http://other-box/", ["10.1.2.3"], "local_name"),
        ("gpu-box", "http://gpu-box.example.com/", ["10.1.2.3"], "private"),
        ("10.0.0.0/8", "http://gpu-box/", ["192.168.1.1"], "private"),
        ("10.0.0.0/8", "http://gpu-box/", ["10.1.2.3", "192.168.1.1"], "private"),
        ("10.0.0.0/8", "http://gpu-box/", ["93.184.215.14"], "local_name"),
        ("169.254.0.0/16", "http://169.254.169.254/", None, "metadata"),
        ("0.0.0.0/0", "http://169.254.169.254/", None, "metadata"),
        ("0.0.0.0/0", "http://0.0.0.0/", None, "unspecified"),
        ("0.0.0.0/0", "http://224.0.0.1/", None, "multicast"),
        ("::/0", "http://[::ffff:10.0.0.1]/", None, "private"),
        ("metadata.google.internal", "http://metadata.google.internal/", ["169.254.169.254"], "metadata"),
        ("gpu-box", "http://gpu-box/", ["fe80::1%eth0"], "zone"),
        ("10.0.0.0/8", "http://10.1.2.3:25/", None, "blocked_port"),
        ("example.com", "http://example.com:25/", None, "blocked_port"),
    ],
)
def test_an_entry_of_the_operators_list_allows_nothing_else(
    entry: str, url: str, answers: list[str] | None, expected: str
) -> None:
    assert reason(listed(entry), url, answers) == expected


def test_a_configured_url_lists_exactly_its_host_and_port() -> None:
    policy = Policy("engine", listed=Listed().with_url("http://gpu-box:8000/v1"))
    assert addresses(policy, "http://gpu-box:8000/other", ["10.1.2.3"]) == ["10.1.2.3"]
    assert reason(policy, "http://gpu-box/v1", ["10.1.2.3"]) == "local_name"
    assert reason(policy, "http://10.1.2.3:8000/v1") == "private"


@pytest.mark.parametrize(
    "entry", ["", "10.0.0.1/8", "10.0.0.0/33", "gpu box", "http://gpu", "a:b", "0x7f.1", ":80"]
)
def test_a_wrong_entry_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="is not a host, an address or a network") as error:
        Listed.parse(["10.0.0.0/8", entry])
    assert repr(entry) in str(error.value)


def test_a_name_without_an_address_is_unreachable() -> None:
    with pytest.raises(Unreachable) as error:
        addresses(HUB, "http://unknown.example.com/")
    assert error.value.reason == "lookup"


def test_a_lookup_that_does_not_end_is_given_up() -> None:
    released = threading.Event()

    def never(host: str, port: int) -> list[str]:
        released.wait()
        return []

    client = Client(Policy("hub", limits=Limits(connect_seconds=0.05)), never)
    with pytest.raises(Unreachable) as error:
        client.get("http://example.com/")
    released.set()
    assert error.value.reason == "lookup"


def test_a_policy_needs_a_known_purpose_and_a_context_that_checks_certificates() -> None:
    with pytest.raises(ValueError, match="PURPOSES"):
        Policy("unknown")
    lax = ssl.create_default_context()
    lax.check_hostname = False
    with pytest.raises(ValueError, match="certificates"):
        Policy("hub", tls=lax)


@pytest.mark.parametrize(
    ("url", "answers"), [("http://8.8.8.8/", None), ("http://example.com/", ["10.1.2.3", "93.184.215.14"])]
)
def test_a_policy_may_demand_encryption_to_public_addresses(url: str, answers: list[str] | None) -> None:
    policy = replace(listed("10.0.0.0/8", "example.com"), plain_http=False)
    assert reason(policy, url, answers) == "plain_http"
    assert addresses(policy, url.replace("http:", "https:"), answers)
    assert addresses(policy, "http://10.1.2.3:8000/")
