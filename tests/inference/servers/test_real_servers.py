"""Checks the same facts of each real server: streams, stops, usage, ends, continuation, what the trial finds.

`make test` runs the server that is installed with the tests, `make engines` the others.
`RECORD=1 make engines` writes what was found into found.json, from which docs/engines.md has its table.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference.contract import Delta, GivenBack, Piece, Reason
from tests.inference.servers.counting_model import WORDS, make_counting_model
from tests.inference.servers.driving import PATIENT, Driver, request
from tests.inference.servers.real_servers import SERVERS, RealServer, running

pytestmark = pytest.mark.timeout(2000)
FOUND = Path(__file__).with_name("found.json")


EACH = [
    pytest.param(name, marks=[] if server.is_installed else [pytest.mark.engines])
    for name, server in SERVERS.items()
]


@pytest.fixture(scope="module", params=EACH)
def server(request: pytest.FixtureRequest) -> RealServer:
    return SERVERS[request.param]


@pytest.fixture(scope="module")
def driver(server: RealServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    folder = make_counting_model(tmp_path_factory.mktemp("models") / "tiny")
    with (
        running(server, folder) as (base, model),
        Driver(base, model=model, timeouts=PATIENT, context=0) as driver,
    ):
        driver.wait_until(lambda: driver.replica(0).probed)
        yield driver


def words(first: int, last: int) -> str:
    """Returns the words from number `first` to `last`, as the model says them."""
    return " ".join(WORDS[first - 1 : last])


def test_the_trial_finds_what_the_table_says(server: RealServer, driver: Driver) -> None:
    replica = driver.replica(0)
    _, end = driver.ask(request(generation_id="table", max_new_tokens=500))
    found: dict[str, Any] = {
        "packages": server.version,
        "kind": replica.kind,
        "context": replica.context,
        "fields": sorted(replica.accepted.fields),
        "prefix": replica.accepted.prefix,
        "tokens": end.completion_tokens,
    }
    recorded = json.loads(FOUND.read_text()) if FOUND.exists() else {}
    if os.environ.get("RECORD"):
        recorded[server.name] = found
        FOUND.write_text(json.dumps(recorded, indent=2, sort_keys=True) + "\n")
    assert found == recorded[server.name]


def test_a_whole_reply_arrives_with_its_end_and_the_servers_count(driver: Driver) -> None:
    text, end = driver.ask(request(generation_id="whole", max_new_tokens=500))
    assert (text, end.reason, end.seq) == (words(1, len(WORDS)), Reason.STOP, len(WORDS))
    assert end.prompt_tokens > 10
    assert not end.estimated


def test_a_reply_ends_at_its_limit_with_the_servers_count(driver: Driver) -> None:
    text, end = driver.ask(request(generation_id="limit", max_new_tokens=7))
    assert (text, end.reason, end.seq) == (words(1, 7), Reason.LENGTH, 7)
    assert (end.completion_tokens, end.estimated) == (7, False)


def test_a_stop_string_ends_a_reply_before_it(driver: Driver) -> None:
    text, end = driver.ask(request(generation_id="string", stop=(" six",)))
    assert (text, end.reason) == (words(1, 5), Reason.STOP)


def test_a_stop_before_the_first_token_leaves_the_server_free(driver: Driver) -> None:
    for number in range(8):  # more than it serves at once
        driver.engine.submit(request("word " * 200, generation_id=f"early-{number}"), ())
        driver.engine.cancel(f"early-{number}")
        _, end = driver.result(f"early-{number}")
        assert (end.reason, end.seq) == (Reason.STOPPED, 0)
    assert driver.ask(request(generation_id="then", max_new_tokens=2))[0] == words(1, 2)


def test_a_reply_can_be_stopped_among_others(driver: Driver) -> None:
    for number in range(3):
        driver.engine.submit(request(generation_id=f"among-{number}", max_new_tokens=160), ())
    driver.wait_for("among-1", lambda events: any(isinstance(each, Delta) for each in events))
    driver.engine.cancel("among-1")
    text, end = driver.result("among-1")
    assert end.reason is Reason.STOPPED
    assert words(1, 160).startswith(text)
    assert [driver.result(f"among-{number}")[0] for number in (0, 2)] == [words(1, 160)] * 2


def test_a_reply_of_a_worker_that_died_is_continued_or_given_back_as_the_trial_says(driver: Driver) -> None:
    logged = (Piece(0, 3, words(1, 3), ()),)
    asked = request(generation_id="resumed", attempt=2, max_new_tokens=9)
    driver.engine.submit(asked, (), logged=logged)
    if driver.replica(0).accepted.prefix:
        text, end = driver.result("resumed")
        assert (text, end.reason, end.seq) == (" " + words(4, 9), Reason.LENGTH, 9)
    else:
        assert driver.give_back("resumed") == GivenBack("resumed", 2, 3)


def test_a_prompt_beyond_the_context_is_shortened(driver: Driver) -> None:
    turns = tuple(
        {"role": role, "content": "word " * 30} for _ in range(40) for role in ("user", "assistant")
    )
    asked = (*turns, {"role": "user", "content": "And now?"})
    text, end = driver.ask(request(generation_id="beyond", messages=asked, max_new_tokens=8))
    assert (text, end.reason) == (words(1, 8), Reason.LENGTH)
    assert end.prompt_tokens > 100
