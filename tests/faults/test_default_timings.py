"""As an operator runs it, nothing shortened: a minute and more each, so in `make drills` only."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.client import Reply
from tests.faults.drill import Drill
from tests.faults.people import invite
from tests.faults.running import PEOPLE, running
from tests.grokweb.service import Service

pytestmark = [pytest.mark.faults_sqlite, pytest.mark.default_timings]

SCRIPT = "slow:60:100"
NEXT_TOKEN_SECONDS = 15.0  # what is promised after the death of a worker
SLEEP_SECONDS = 20.0
END_SECONDS = 150.0  # four at a time, and after a death one at a time


@pytest.fixture(scope="module")
def unhurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, list[str], str]]:
    folder = tmp_path_factory.mktemp("default-timings")
    url = f"sqlite:///{folder / 'drill.sqlite3'}"
    # Each death is the first, however often the drill is repeated: no backoff from the one before.
    service = Service(folder, DATABASE_URL=url, GROKWEB_DAILY_TOKENS="100000000", GROKWEB_HEALTHY_SECONDS="1")
    try:
        service.start().wait_until_ready()
        yield service, invite(PEOPLE, service.environment), url
    finally:
        service.close()


@pytest.fixture
def fresh(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Drill]:
    """A service that has just started for the first time, with all timings as they come."""
    url = f"sqlite:///{tmp_path / 'drill.sqlite3'}"
    service = Service(tmp_path, DATABASE_URL=url, GROKWEB_DAILY_TOKENS="100000000")
    try:
        service.start().wait_until_ready()
        yield from running(service, invite(PEOPLE, service.environment), url, request)
    finally:
        service.close()


@pytest.fixture
def drill(unhurried: tuple[Service, list[str], str], request: pytest.FixtureRequest) -> Iterator[Drill]:
    yield from running(*unhurried, request)


def ask(drill: Drill) -> list[Reply]:
    asked = drill.ask(SCRIPT)
    drill.wait_until_writing(10, replies=4)
    return asked


def end(drill: Drill) -> None:
    drill.wait_until_done(END_SECONDS)
    drill.ended_well()


@pytest.mark.fault("default timings: model worker SIGKILL")
def test_replies_go_on_soon_after_a_worker_was_killed(drill: Drill) -> None:
    ask(drill)
    drill.kill("model-worker")
    drill.wait(drill.blows[0].waits_over, "somebody gets a token again", NEXT_TOKEN_SECONDS)
    end(drill)


@pytest.mark.fault("default timings: model worker SIGKILL, first fault of a fresh service")
def test_the_first_kill_on_a_fresh_service_delays_nobody_longer(fresh: Drill) -> None:
    """Nothing that the promise counts on begins with the first fault."""
    asked = fresh.ask(SCRIPT)
    fresh.wait_until_writing(1, replies=4)
    fresh.kill("model-worker")
    fresh.wait(fresh.blows[0].waits_over, "somebody gets a token again", NEXT_TOKEN_SECONDS)
    end(fresh)
    assert {fresh.row(reply)["strikes"] for reply in asked} <= {0, 1}


@pytest.mark.fault("default timings: model worker SIGSTOP for 20 s")
def test_replies_survive_a_worker_that_slept(drill: Drill) -> None:
    asked = ask(drill)
    drill.send_signal("model-worker", signal.SIGSTOP)
    time.sleep(SLEEP_SECONDS)  # the fault itself
    drill.send_signal("model-worker", signal.SIGCONT)
    end(drill)
    drill.nobody_is_blamed(asked)
    assert sorted(drill.row(reply)["attempt"] for reply in asked) == [1] * 4 + [2] * 4


@pytest.mark.fault("default timings: Redis SIGKILL, data kept")
def test_replies_survive_the_death_of_redis(drill: Drill) -> None:
    asked = ask(drill)
    drill.kill("redis")
    end(drill)
    assert {drill.row(reply)["strikes"] for reply in asked} == {0}
