"""What the supervisor does with a death, with small processes in the place of the real ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grokweb import childlog, supervisor
from tests.grokweb.service import eventually

Make = Callable[[str, str], supervisor.Child]


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[supervisor.Supervisor]:
    said: list[str] = []
    monkeypatch.setattr(supervisor, "say", said.append)
    plan = supervisor.Plan(
        data=tmp_path,
        run=tmp_path / "run",
        bind="127.0.0.1",
        port=1,
        host="localhost",
        address="http://localhost:1/",
        model_slug="small",
        model_name="Small",
        slots=1,
        handover=0.0,
        redis_url="redis://127.0.0.1:1/0",
    )
    with supervisor.take_lock(plan.data, plan.run) as lock:
        made = supervisor.Supervisor(plan, lock)
        made.said = said  # type: ignore[attr-defined]
        yield made
        made.stop()


@pytest.fixture
def child(running: supervisor.Supervisor) -> Make:
    def make(name: str, program: str) -> supervisor.Child:
        made = running._add(name, lambda: running._spawn(name, [sys.executable, "-S", "-c", program]))
        running._start(made)
        return made

    return make


def wait_for_death(running: supervisor.Supervisor, child: supervisor.Child) -> None:
    eventually(lambda: not child.alive, "the child ends")
    running._tend()


def test_each_death_doubles_the_delay_up_to_half_a_minute(
    running: supervisor.Supervisor, child: Make
) -> None:
    dying = child("web", "raise SystemExit('no luck')")
    delays = []
    running.page_answers.set()
    for _ in range(8):
        delays.append(dying.delay)
        wait_for_death(running, dying)
        assert dying.due is not None
        running._start(dying)
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert "web ended with status 1; starting it again in 0.5 s; it said: no luck" in running.said


def test_health_resets_the_delay(running: supervisor.Supervisor, child: Make) -> None:
    dying = child("web", "raise SystemExit(1)")
    running.page_answers.set()
    dying.delay = 16.0
    dying.started -= running.plan.healthy
    wait_for_death(running, dying)
    assert dying.delay == 1.0


def test_an_unusable_model_stops_the_service_with_its_reason(
    running: supervisor.Supervisor, child: Make
) -> None:
    dying = child("model-worker", "print('loading'); print('model: torn in two'); raise SystemExit(78)")
    wait_for_death(running, dying)
    assert running.failure == "model: torn in two"
    assert dying.due is None


def test_a_page_that_never_starts_stops_the_service(running: supervisor.Supervisor, child: Make) -> None:
    dying = child("web", "raise SystemExit('cannot')")
    for _ in range(supervisor.STILLBORN - 1):
        wait_for_death(running, dying)
        assert not running.failure
        running._start(dying)
    wait_for_death(running, dying)
    assert "cannot" in running.failure


def test_the_logs_keep_everything_and_the_terminal_gets_what_matters(tmp_path: Path) -> None:
    lines = [
        json.dumps({"event": "fine", "level": "info"}),
        json.dumps({"event": "hot", "level": "warning"}),
        "raw",
    ]
    shown: list[str] = []
    log = childlog.ChildLog("web", tmp_path / "logs" / "web.log", shown.append)
    process = subprocess.Popen(
        [sys.executable, "-c", f"print({chr(10).join(lines)!r})"], stdout=subprocess.PIPE
    )
    log.follow(process)
    process.wait()
    log.finish()
    assert log.path.read_text().splitlines() == lines
    assert shown == ["web: warning: hot"]
    assert log.last_line == "raw"


def test_a_log_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(childlog, "FILE_BYTES", 1000)
    log = childlog.ChildLog("web", tmp_path / "web.log", lambda line: None)
    process = subprocess.Popen(
        [sys.executable, "-c", "for n in range(100): print('x' * 50)"], stdout=subprocess.PIPE
    )
    log.follow(process)
    process.wait()
    log.finish()
    assert log.path.stat().st_size <= 1000
    assert (tmp_path / "web.log.1").stat().st_size <= 1000
