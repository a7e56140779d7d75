"""`manage.py up` with real processes: what an operator sees when parts die, and when it stops."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

import pytest
import redis

from inference.base import exit_status
from tests.grokweb.service import NAMES, Service, eventually, is_running, kill

pytestmark = [pytest.mark.faults, pytest.mark.faults_sqlite]


def test_all_processes_run_and_the_address_is_printed(service: Service) -> None:
    assert set(service.pids()) == set(NAMES)
    assert service.said(f"GrokWeb is ready: http://localhost:{service.port}/")
    assert service.health()["test_engines"] is True
    assert service.get("/accounts/login/")[0] == 200


def test_the_administrator_is_shown_once(service: Service) -> None:
    assert service.said("admin@localhost")
    assert sum("password: " in line for line in service.lines) == 1


def test_the_redis_password_is_private(service: Service) -> None:
    published = service.data / "run" / "redis.url"
    assert published.stat().st_mode & 0o777 == 0o600
    password = published.read_text().split(":", 2)[2].split("@")[0]
    for pid in service.pids().values():
        assert password not in Path(f"/proc/{pid}/cmdline").read_text()
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(published.read_text().strip().replace(password, "wrong")).ping()


@pytest.mark.parametrize("name", ["web", "redis", "chat-worker", "model-worker"])
def test_a_killed_process_is_restarted(service: Service, name: str) -> None:
    url = (service.data / "run" / "redis.url").read_text()
    before = service.pid(name)
    kill(before)
    eventually(lambda: service.pid(name) not in {0, before}, f"{name} again")
    eventually(service.is_ready, "the page answers")
    assert any(line.startswith(f"{name} was ended by SIGKILL") for line in service.lines)
    assert (service.data / "run" / "redis.url").read_text() == url


def test_redis_data_survive_its_death(service: Service) -> None:
    with redis.Redis.from_url((service.data / "run" / "redis.url").read_text().strip()) as client:
        client.set("drill", "kept")
        before = service.pid("redis")
        kill(before)
        eventually(lambda: service.pid("redis") not in {0, before} and service.is_ready(), "redis again")
        assert client.get("drill") == b"kept"


def test_only_one_up_runs_for_a_data_directory(service: Service, tmp_path: Path) -> None:
    second = Service(tmp_path, GROKWEB_DATA=str(service.data))
    assert second.start().ended() == 1
    eventually(lambda: second.said("already runs"), f"a clear line; it said {second.lines}", 5)
    assert service.is_ready()


def test_sigterm_stops_everything_in_time(fresh: Service) -> None:
    fresh.start().wait_until_ready()
    pids = fresh.pids()
    started = time.monotonic()
    kill(fresh.process.pid, signal.SIGTERM)
    assert fresh.ended(20) == 0
    assert time.monotonic() - started < 15
    assert not [name for name, pid in pids.items() if is_running(pid)]
    assert fresh.pids() == {}
    assert fresh.said("GrokWeb has stopped.")

    # The second start finds everything prepared: no administrator is made again.
    fresh.lines.clear()
    fresh.start().wait_until_ready()
    assert not fresh.said("password")


def test_ctrl_c_twice_ends_everything_at_once(fresh: Service) -> None:
    fresh.start().wait_until_ready()
    pids = fresh.pids()
    kill(pids["web"], signal.SIGSTOP)  # it will not answer the polite request
    kill(fresh.process.pid, signal.SIGINT)
    eventually(lambda: fresh.said("Stopping"), "the first press to be seen")
    time.sleep(0.7)  # two presses within half a second count as one
    started = time.monotonic()
    kill(fresh.process.pid, signal.SIGINT)
    assert fresh.ended(20) == 0
    assert time.monotonic() - started < 5  # a stopped process would hold it up much longer
    assert not [name for name, pid in pids.items() if is_running(pid)]


def test_a_killed_supervisor_leaves_no_process(fresh: Service) -> None:
    fresh.start().wait_until_ready()
    pids = fresh.pids()
    kill(pids["jobs-worker"], signal.SIGSTOP)
    kill(fresh.process.pid)
    fresh.ended()
    eventually(lambda: not [pid for pid in pids.values() if is_running(pid)], "all gone", 5)
    fresh.lines.clear()
    fresh.start().wait_until_ready()


@pytest.mark.parametrize(
    ("environment", "status", "words"),
    [
        ({"GROKWEB_MODEL": "/nowhere/at/all"}, exit_status.MODEL_UNUSABLE, "/nowhere/at/all"),
        ({"GROKWEB_TEST_ENGINES": "0"}, exit_status.MODEL_UNUSABLE, "GROKWEB_TEST_ENGINES=1"),
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, 1, "REDIS_URL"),
        ({"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing"}, 1, "DATABASE_URL"),
        ({"PORT": "many"}, exit_status.SETTING_INVALID, "PORT"),
    ],
)
def test_an_unusable_setting_is_reported_in_one_line(
    tmp_path: Path, environment: dict[str, str], status: int, words: str
) -> None:
    service = Service(tmp_path, **environment)
    assert service.start().ended() == status
    eventually(lambda: service.lines, "a line")
    assert len(service.lines) == 1
    assert words in service.lines[0]
    assert service.pids() == {}


def test_a_port_in_use_is_reported_in_one_line(fresh: Service) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", fresh.port))
        other.listen()
        assert fresh.start().ended() == 1
    eventually(lambda: fresh.lines, "a line", 5)
    assert f"port {fresh.port}" in fresh.lines[0]
