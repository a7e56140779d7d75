"""A hub that is busy, sends other bytes than it was asked for or leads elsewhere is refused in one line."""

from __future__ import annotations

import pytest

from inference.base.outbound import Listed
from tests.inference.hub.fake_hub import Call, FakeHub, Repository
from tests.inference.hub.fetcher import WEIGHTS, Fetcher, refusal


@pytest.mark.parametrize("retry_after", ["0", "7"])
def test_a_hub_that_is_busy_is_asked_again_after_the_time_it_names(
    hub: FakeHub, fetching: Fetcher, retry_after: str
) -> None:
    busy = iter([True, False, True])
    hub.on = lambda call: call.status(429, Retry_After=retry_after) if next(busy, False) else None
    fetching(hub)
    assert fetching.waits == [float(retry_after)] * 2


def test_a_hub_that_stays_busy_is_given_up(hub: FakeHub, fetching: Fetcher) -> None:
    hub.on = lambda call: call.status(429)
    assert "the hub refuses more requests for now (status 429)" in refusal(fetching, hub)
    assert fetching.waits == [1, 2, 4, 8, 16]


def test_a_wait_of_days_is_not_made(hub: FakeHub, fetching: Fetcher) -> None:
    hub.on = lambda call: call.status(503, Retry_After="100000")
    assert "asks to wait 100,000 seconds (status 503)" in refusal(fetching, hub)
    assert fetching.waits == []


def test_downloads_go_only_to_hosts_that_are_public_or_listed(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    with FakeHub({"acme/tiny": published}) as stored:
        hub.files_at = stored
        hub.tokens = {"hf_good"}
        line = refusal(fetching, hub, token="hf_good")
        assert "leads to a place that is not allowed: the address is this machine" in line
        assert "GROKWEB_HUB_HOSTS" in line
        assert stored.calls == []
        fetching(hub, token="hf_good", listed=Listed.parse([stored.host]))
        assert stored.calls
        assert not [call for call in stored.calls if "authorization" in call.headers]


@pytest.mark.parametrize(
    "place", ["http://10.0.0.1/x", "http://169.254.169.254/latest", "file:///etc/passwd"]
)
def test_a_redirect_to_a_private_address_is_refused(hub: FakeHub, fetching: Fetcher, place: str) -> None:
    hub.on = lambda call: call.status(302, Location=place) if call.file == WEIGHTS else None
    assert "the hub leads to a place that is not allowed" in refusal(fetching, hub)
    assert fetching.waits == []


@pytest.mark.parametrize("change", [-1, 1, 10**6])
def test_another_length_than_the_listed_one_is_refused(
    hub: FakeHub, published: Repository, fetching: Fetcher, change: int
) -> None:
    raw = (published.folder / WEIGHTS).read_bytes()
    wrong = raw[:change] if change < 0 else raw + bytes(change)
    hub.on = lambda call: call.part(wrong) if call.file == WEIGHTS else None
    assert f"the hub lists {len(raw):,} bytes for {WEIGHTS}, but sends {len(wrong):,}" in refusal(
        fetching, hub
    )


def test_an_endless_body_is_left_where_the_file_ends(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    raw = (published.folder / "config.json").read_bytes()

    def endless(call: Call) -> bool | None:
        if call.file != "config.json":
            return None
        call.handler.close_connection = True
        call._head(200, {})
        while True:
            call.write(raw + bytes(2**20))

    hub.on = endless
    assert f"the hub lists {len(raw):,} bytes for config.json, but sends more" in refusal(fetching, hub)


def test_another_part_than_was_asked_for_is_refused(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    raw = (published.folder / WEIGHTS).read_bytes()
    wrong = f"bytes 5-{len(raw) - 1}/{len(raw)}"
    hub.on = lambda call: (
        call.body(raw[5:], status=206, Content_Range=wrong) if call.file == WEIGHTS else None
    )
    assert "sends another part of model.safetensors than was asked for" in refusal(fetching, hub)


def test_a_transfer_that_brings_nothing_is_given_up(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    raw = (published.folder / "config.json").read_bytes()
    hub.on = lambda call: call.part(raw, cut_at=0) if call.file == "config.json" else None
    assert "the transfer failed 6 times: the answer ended before its end" in refusal(fetching, hub)


def test_an_answer_that_is_no_hubs_is_refused(hub: FakeHub, fetching: Fetcher) -> None:
    hub.on = lambda call: call.body(b"<html>hello</html>")
    assert "answers, but not as a hub: check HF_ENDPOINT" in refusal(fetching, hub)


def test_a_hub_that_is_not_there_is_named(hub: FakeHub, fetching: Fetcher) -> None:
    hub.__exit__()
    line = refusal(fetching, hub)
    assert f"{hub.url} cannot be reached: no connection to the server" in line
