"""A web process that no longer works is ended and started again by `up`; one that is only busy is not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grokweb import checkout, instance_lock, service_plan, supervisor, watchdog
from grokweb.child_process import Child
from tests.grokweb.service import ROOT, Service, eventually, is_running, kill

pytestmark = [pytest.mark.faults, pytest.mark.faults_sqlite]

LOOP, POOL = 5.0, 6.0  # seconds; a busy machine must not look frozen


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Service]:
    """Starts a service with static files of its own, so that a test may replace them."""
    static = tmp_path / "static"
    shutil.copytree(checkout.STATIC, static)
    times = {"GROKWEB_WEB_LOOP_SECONDS": str(LOOP), "GROKWEB_WEB_POOL_SECONDS": str(POOL)}
    made = Service(tmp_path, GROKWEB_STATIC=str(static), **times).with_tables()
    try:
        yield made.start().wait_until_ready()
    finally:
        made.close()


def log_of(service: Service) -> list[dict[str, object]]:
    lines = (service.data / "logs" / "web.log").read_text().splitlines()
    return [json.loads(line) for line in lines if '"critical"' in line]


def test_a_stopped_web_process_is_killed_and_restarted(impatient: Service) -> None:
    before = impatient.pid("web")
    kill(before, signal.SIGSTOP)  # it does not hear SIGTERM either
    eventually(lambda: impatient.pid("web") not in {0, before}, "another web process")
    eventually(impatient.is_ready, "the page answers")
    assert not is_running(before)
    assert impatient.said("web: critical: its event loop has not run for")
    assert "its event loop has not run for" in str(log_of(impatient)[0]["event"])
    others = [name for name in impatient.pids() if name != "web"]
    assert not [line for line in impatient.lines if line.startswith(tuple(f"{name} was" for name in others))]


def test_a_web_process_whose_threads_hang_is_restarted(impatient: Service, tmp_path: Path) -> None:
    """A pipe that nobody writes to stands for a file on a disk that hangs."""
    [style] = list((tmp_path / "static" / "css").glob("*.css"))[:1]
    style.unlink()
    os.mkfifo(style)
    before = impatient.pid("web")
    page = f"/static/css/{style.name}?secret=canary"
    for _ in range(3):
        threading.Thread(target=impatient.get, args=(page,), daemon=True).start()
    words = "web: critical: requests wait, and no thread has finished one for"
    eventually(lambda: impatient.said(words), "it is told why the process is ended")
    style.unlink()
    style.write_text("")  # the disk answers again
    eventually(lambda: impatient.pid("web") not in {0, before}, "another web process")
    assert "canary" not in (impatient.data / "logs" / "web.log").read_text()
    eventually(impatient.is_ready, "the page answers")


def test_one_slow_page_causes_no_restart(impatient: Service, tmp_path: Path) -> None:
    [style] = list((tmp_path / "static" / "css").glob("*.css"))[:1]
    style.unlink()
    os.mkfifo(style)
    before = impatient.pid("web")
    threading.Thread(target=impatient.get, args=(f"/static/css/{style.name}",), daemon=True).start()
    until = time.monotonic() + 2 * POOL
    while time.monotonic() < until:
        assert impatient.is_ready()
    assert impatient.pid("web") == before


def test_a_service_that_slept_is_not_restarted(impatient: Service) -> None:
    """A machine that slept or was paused is no reason for a restart."""
    pids = impatient.pids()
    assert impatient.process is not None
    everybody = [impatient.process.pid, *pids.values()]
    for pid in everybody:
        kill(pid, signal.SIGSTOP)
    until = time.monotonic() + 2 * LOOP
    while time.monotonic() < until:
        time.sleep(0.1)
    for pid in reversed(everybody):
        kill(pid, signal.SIGCONT)
    eventually(impatient.is_ready, "the page answers")
    until = time.monotonic() + 2 * LOOP
    while time.monotonic() < until:
        assert impatient.pid("web") == pids["web"]
        time.sleep(0.1)


PROGRAM = """
import asyncio, ctypes, sys, threading, time
from asgiref.sync import sync_to_async
from grokweb import watchdog, web
from twisted.internet import reactor
what, fd = sys.argv[1], int(sys.argv[sys.argv.index("--pulse") + 1])

async def application(scope, receive, send):
    raise RuntimeError

def start():
    loop = asyncio.get_event_loop()
    watchdog.Pulse(fd, web.POOLS).beat(loop)
    never = threading.Event()
    if what == "gil":  # C code that lets no other thread of Python run
        libc = ctypes.PyDLL(None)
        loop.call_later(1, lambda: threading.Thread(target=libc.sleep, args=(3600,)).start())
    if what == "pool":
        loop.call_later(1, lambda: asyncio.ensure_future(sync_to_async(never.wait, thread_sensitive=False)()))
    if what == "left":
        async def leave():
            work = asyncio.ensure_future(sync_to_async(never.wait)())
            await asyncio.sleep(0.5)
            work.cancel()
        loop.call_later(1, lambda: asyncio.ensure_future(leave()))
    if what == "busy":
        async def work():
            while True:
                await sync_to_async(time.sleep)(0.05)
        loop.call_later(1, lambda: asyncio.ensure_future(work()))

reactor.callWhenRunning(start)
web.WebServer(application, ["tcp:port=0:interface=127.0.0.1"]).run()
"""


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[supervisor.Supervisor]:
    said: list[str] = []
    monkeypatch.setattr(supervisor, "say", said.append)
    plan = service_plan.Plan(
        data=tmp_path, run=tmp_path / "run", bind="127.0.0.1", port=1, host="localhost", address="-",
        model_slug="small", model_name="Small", slots=1, handover=0.0, redis_url="redis://127.0.0.1:1/0",
        loop_seconds=LOOP, pool_seconds=POOL,
    )  # fmt: skip
    with instance_lock.take_lock(plan.data, plan.run) as lock:
        made = supervisor.Supervisor(plan, lock)
        made.said = said  # type: ignore[attr-defined]
        yield made
        made.stop()


def start(rules: supervisor.Supervisor, what: str) -> Child:
    child = rules.processes.add(
        "web", lambda: rules.processes.spawn("web", [sys.executable, "-c", PROGRAM, what])
    )
    rules.processes.start(child)
    return child


def has_beaten(rules: supervisor.Supervisor) -> bool:
    watch = rules.processes.watch
    return watch is not None and watch.beaten


def tended(rules: supervisor.Supervisor, words: str) -> bool:
    rules._check_children()
    return any(words in line for line in rules.said)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("gil", "its event loop has not run for"),
        ("pool", "requests wait, and no thread has finished one for"),
        ("left", "requests wait, and no thread has finished one for"),
    ],
)
def test_the_terminal_says_why_a_web_process_is_ended(
    rules: supervisor.Supervisor, what: str, words: str
) -> None:
    child = start(rules, what)
    assert child.process is not None
    pid = child.process.pid
    eventually(lambda: tended(rules, words), words)
    eventually(lambda: tended(rules, "web was ended by") or tended(rules, "web ended"), "it is ended")
    assert not is_running(pid)


def test_a_process_that_works_is_left_alone(rules: supervisor.Supervisor) -> None:
    child = start(rules, "busy")
    eventually(lambda: tended(rules, "") or has_beaten(rules), "its first beat")
    until = time.monotonic() + 2 * POOL
    while time.monotonic() < until:
        rules._check_children()
        time.sleep(0.05)
    assert child.alive
    assert child.kill_at is None


def test_a_slow_start_is_tolerated(rules: supervisor.Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    child = rules.processes.add(
        "web", lambda: rules.processes.spawn("web", [sys.executable, "-c", "import time; time.sleep(3600)"])
    )
    rules.processes.start(child)
    until = time.monotonic() + 2 * LOOP
    while time.monotonic() < until:
        rules._check_children()
        time.sleep(0.05)
    assert child.alive
    monkeypatch.setattr(watchdog, "STARTING_SECONDS", LOOP)
    eventually(lambda: tended(rules, "its event loop has not run for"), "but not for ever")


# --- SIGHUP -------------------------------------------------------------------------------------------------


def test_sighup_ends_nothing(fresh: Service) -> None:
    fresh.start().wait_until_ready()
    pids = fresh.pids()
    assert fresh.process is not None
    starts = {pid: started_at(pid) for pid in pids.values()}
    for pid in [fresh.process.pid, *pids.values()]:
        kill(pid, signal.SIGHUP)
    eventually(lambda: all(handles_nothing(pid) for pid in pids.values()), "every process ignores SIGHUP")
    assert fresh.pids() == pids
    assert {pid: started_at(pid) for pid in pids.values()} == starts
    assert fresh.process.poll() is None
    assert fresh.is_ready()
    assert not fresh.said("starting it again")


def test_sighup_to_make_ends_nothing(tmp_path: Path) -> None:
    """A terminal that closes sends it to `make` and to all that `make` started."""
    service = Service(tmp_path)
    service.process = subprocess.Popen(
        ["make", "run", f"PYTHON={sys.executable}"],
        cwd=ROOT,
        env=service.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    threading.Thread(target=service._read, args=(service.process,), daemon=True).start()
    try:
        service.wait_until_ready()
        pids = service.pids()
        os.killpg(service.process.pid, signal.SIGHUP)
        until = time.monotonic() + 3
        while time.monotonic() < until:
            assert service.is_ready()
            assert service.pids() == pids
            time.sleep(0.1)
        up = int((service.data / "run" / "up.pid").read_text())
        kill(up, signal.SIGTERM)
        eventually(lambda: not is_running(up), "it stops when asked to", 20)
    finally:
        service.close()


def started_at(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def handles_nothing(pid: int) -> bool:
    """Returns whether SIGHUP (number 1) is ignored and not caught."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool(int(status["SigIgn"], 16) & 1) and not int(status["SigCgt"], 16) & 1
