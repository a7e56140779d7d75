"""Tests how the supervisor handles deaths, with small processes in place of the real ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grokweb import instance_lock, process_log, readiness, service_plan, supervisor
from grokweb.child_process import Child
from inference.base import disk_space
from tests.faults.small_disk import SmallDisk
from tests.grokweb.service import eventually

Make = Callable[[str, str], Child]


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[supervisor.Supervisor]:
    said: list[str] = []
    monkeypatch.setattr(supervisor, "say", said.append)
    plan = service_plan.Plan(
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
    with instance_lock.take_lock(plan.data, plan.run) as lock:
        made = supervisor.Supervisor(plan, lock)
        made.said = said  # type: ignore[attr-defined]
        yield made
        made.stop()


@pytest.fixture
def child(running: supervisor.Supervisor) -> Make:
    def make(name: str, program: str) -> Child:
        made = running.processes.add(
            name, lambda: running.processes.spawn(name, [sys.executable, "-S", "-c", program])
        )
        running.processes.start(made)
        return made

    return make


def wait_for_death(running: supervisor.Supervisor, child: Child) -> None:
    eventually(lambda: not child.alive, "the child ends")
    running._check_children()


def test_each_death_doubles_the_delay_up_to_half_a_minute(
    running: supervisor.Supervisor, child: Make
) -> None:
    dying = child("web", "raise SystemExit('no luck')")
    delays = []
    running.readiness.page_answers.set()
    for _ in range(8):
        delays.append(dying.delay)
        wait_for_death(running, dying)
        assert dying.due is not None
        running.processes.start(dying)
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert "web ended with status 1; starting it again in 0.5 s; it said: no luck" in running.said


def test_a_healthy_process_resets_the_delay(running: supervisor.Supervisor, child: Make) -> None:
    dying = child("web", "raise SystemExit(1)")
    running.readiness.page_answers.set()
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


def test_a_web_process_that_never_starts_stops_the_service(
    running: supervisor.Supervisor, child: Make
) -> None:
    dying = child("web", "raise SystemExit('cannot')")
    for _ in range(supervisor.FAILED_STARTS - 1):
        wait_for_death(running, dying)
        assert not running.failure
        running.processes.start(dying)
    wait_for_death(running, dying)
    assert "cannot" in running.failure


def test_logs_contain_everything_and_the_terminal_warnings(tmp_path: Path) -> None:
    lines = [
        json.dumps({"event": "fine", "level": "info"}),
        json.dumps({"event": "hot", "level": "warning"}),
        "raw",
    ]
    shown: list[str] = []
    log = process_log.ProcessLog("web", tmp_path / "logs" / "web.log", shown.append)
    process = subprocess.Popen(
        [sys.executable, "-c", f"print({chr(10).join(lines)!r})"], stdout=subprocess.PIPE
    )
    log.follow(process)
    process.wait()
    log.finish()
    assert log.path.read_text().splitlines() == lines
    assert shown == ["web: warning: hot"]
    assert log.last_line == "raw"


def test_a_log_is_limited_in_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_log, "FILE_BYTES", 1000)
    log = process_log.ProcessLog("web", tmp_path / "web.log", lambda line: None)
    process = subprocess.Popen(
        [sys.executable, "-c", "for n in range(100): print('x' * 50)"], stdout=subprocess.PIPE
    )
    log.follow(process)
    process.wait()
    log.finish()
    assert log.path.stat().st_size <= 1000
    assert (tmp_path / "web.log.1").stat().st_size <= 1000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    made = SmallDisk(tmp_path / "disk", 1)
    try:
        yield made
    finally:
        made.close()


def test_a_log_on_a_full_disk_counts_lost_lines(disk: SmallDisk) -> None:
    log = process_log.LogFile(disk.folder / "logs" / "web.log")
    log.write(b"one\n")
    with disk.full():
        log.write(b"x" * 8000 + b"\n")  # only its beginning fits into the block that the file has
        for _ in range(3):
            assert log.write(b"lost\n") == ""
    result = log.write(b"two\n")
    assert result.startswith("4 lines are missing in web.log: ")
    lines = log.path.read_text().splitlines()
    assert [lines[0], lines[-1]] == ["one", "two"]
    assert json.loads(lines[-2])["event"] == result
    assert json.loads(lines[-2])["level"] == "warning"
    assert log.write(b"three\n") == ""
    log.close()


def test_a_log_on_a_read_only_disk_does_not_end_its_reader(disk: SmallDisk) -> None:
    shown: list[str] = []
    log = process_log.ProcessLog("web", disk.folder / "logs" / "web.log", shown.append)
    line = json.dumps({"event": "hot", "level": "warning"})
    with disk.read_only():
        process = subprocess.Popen(
            [sys.executable, "-c", f"for n in range(3000): print({line!r})"], stdout=subprocess.PIPE
        )
        log.follow(process)
        assert process.wait(30) == 0  # it is read to its end
        log.finish()
        eventually(lambda: len(shown) == 3000, "the terminal gets every line", 10)
    assert not log.path.exists()


def test_a_process_that_cannot_be_started_is_tried_again(running: supervisor.Supervisor) -> None:
    def start() -> subprocess.Popen[bytes]:
        raise OSError(28, "No space left on device")

    child = running.processes.add("redis", start)
    running.processes.start(child)
    assert (child.process, child.delay) == (None, 1.0)
    assert child.due is not None
    assert "redis cannot be started: No space left on device; starting it again in 0.5 s" in running.said


def test_postponed_work_is_done_when_the_disk_has_space(
    running: supervisor.Supervisor, child: Make, disk: SmallDisk
) -> None:
    """Files for operators are written, and no process waits for the end of a long delay."""
    running.plan.run = disk.folder / "run"
    running.plan.run.mkdir()
    running.disks = disk_space.Disks({"data": (disk.folder,)}, low=1)
    with disk.full():
        alive = child("web", "import time; time.sleep(60)")
        waiting = running.processes.add(
            "beat", lambda: running.processes.spawn("beat", [sys.executable, "-c", "pass"])
        )
        waiting.due, waiting.delay = 1e12, 30.0
        check_disk_again(running)
        assert not pid_in(running, "web")
        assert any("is full" in line for line in running.said)
    check_disk_again(running)
    assert alive.process is not None
    assert pid_in(running, "web") == str(alive.process.pid)
    assert (waiting.due < 1e12, waiting.delay) == (True, 0.5)
    assert any("has space again" in line for line in running.said)


def check_disk_again(running: supervisor.Supervisor) -> None:
    running.disk_due = 0.0
    running.disks._cached.clear()
    running._check_disk()


def pid_in(running: supervisor.Supervisor, name: str) -> str:
    return (running.plan.run / f"{name}.pid").read_text().strip()


@pytest.mark.parametrize(
    ("answer", "lacks"),
    [
        (b'{"status": "unavailable", "failing": ["disk:data", "disk:logs"]}', True),
        # Redis refuses even a ping, and SQLite opens no file, without a free block.
        (b'{"status": "unavailable", "failing": ["database", "redis", "disk:data"]}', True),
        (b'{"status": "unavailable", "failing": ["redis"]}', False),
        (b"<h1>Bad Gateway</h1>", False),
    ],
)
def test_a_page_without_disk_space_counts_as_answering(answer: bytes, lacks: bool) -> None:
    assert readiness.lacks_space(answer) is lacks
