"""Floods a service as one person, over many sockets and two web processes, while others go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from grokweb.redis_server import free_port
from tests.faults.people import invite
from tests.grokweb.service import ROOT, Service, eventually

pytestmark = [pytest.mark.faults, pytest.mark.faults_sqlite, pytest.mark.timed]

RATE, BURST = 20, 200  # GROKWEB_PERSON_RATE and what it allows at once
FLOOD_SECONDS = 6.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yields one service for all tests: each has people of its own."""
    made = Service(tmp_path_factory.mktemp("rates")).with_tables()
    try:
        made.start().wait_until_ready()
        (somebody,) = invite(1, made.environment)
        eventually(lambda: can_open(made.port, somebody), "a socket's first frame")
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def second_port(service: Service) -> Iterator[int]:
    """Starts a second web process of the same installation. Yields its port."""
    port = free_port()
    redis = (service.data / "run" / "redis.url").read_text().strip()
    environment = {**service.environment, "PORT": str(port), "REDIS_URL": redis}
    process = subprocess.Popen([sys.executable, "-m", "grokweb.web"], cwd=ROOT, env=environment)
    try:
        eventually(lambda: is_open(port), "the second web process")
        yield port
    finally:
        process.kill()
        process.wait()


def is_open(port: int) -> bool:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def tab(port: int, cookie: str) -> ClientConnection:
    address = f"127.0.0.1:{port}"
    made = connect(f"ws://{address}/ws/", additional_headers={"Cookie": cookie}, origin=f"http://{address}",  # type: ignore[arg-type]
                   proxy=None, legacy=True)  # fmt: skip
    made.recv(timeout=30)
    return made


def ask(socket: ClientConnection) -> str:
    """Asks for a message that does not exist, and returns the code of the answer."""
    socket.send(json.dumps({"type": "resume", "message_id": str(uuid.uuid4()), "after": 0}))
    return str(json.loads(socket.recv(timeout=60))["code"])


def flood(cookie: str, seconds: float, sockets: int, kind: str, *ports: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.faults.flood",
            cookie,
            str(seconds),
            str(sockets),
            kind,
            *map(str, ports),
        ],
        cwd=ROOT,
        env={**os.environ},
        stdout=subprocess.PIPE,
        text=True,
    )


def answers_of(process: subprocess.Popen[str]) -> dict[str, int]:
    printed, _ = process.communicate(timeout=120)
    counted: dict[str, int] = json.loads(printed.splitlines()[-1])
    return counted


def go_on_until(service: Service, cookie: str, done: Callable[[], bool]) -> None:
    """Requests frames and pages in turn as another person at work: each is answered, none is refused."""
    with tab(service.port, cookie) as socket:
        while not done():
            assert ask(socket) == "not_found"
            assert service.get("/api/profile/", Cookie=cookie)[0] == 200
            time.sleep(0.2)  # as a person at work, who stays below the limit


def test_sixty_sockets_of_one_person_get_nobody_else_refused(service: Service) -> None:
    attacker, other = invite(2, service.environment)
    flooding = flood(attacker, FLOOD_SECONDS, 60, "all", service.port)
    go_on_until(service, other, lambda: flooding.poll() is not None)
    counted = answers_of(flooding)
    assert counted.get("hello", 0) >= 30, "the flood did not take place"
    assert counted.get("too_many", 0) > 0


def test_two_web_processes_share_one_request_limit(service: Service, second_port: int) -> None:
    (person,) = invite(1, service.environment)
    for port in (service.port, second_port):
        tab(port, person).close()  # both know whose session it is
    started = time.monotonic()
    counted = answers_of(flood(person, 5, 8, "reads", service.port, second_port))
    seconds = time.monotonic() - started
    assert counted["too_many"] > 0
    carried_out = counted["not_found"]
    assert carried_out <= 1.2 * (BURST + RATE * seconds), (counted, seconds)


def test_sockets_of_a_person_are_counted_over_both_processes(service: Service, second_port: int) -> None:
    person, other = invite(2, service.environment)
    opened: list[ClientConnection] = []
    refused = 0
    deadline = time.monotonic() + 120
    while not refused and len(opened) < 80 and time.monotonic() < deadline:
        port = (service.port, second_port)[len(opened) % 2]
        try:
            opened.append(tab(port, person))
        except ConnectionClosed as closed:
            refused = len(opened) if closed.rcvd and closed.rcvd.code == 1013 else -1
        time.sleep(0.25)  # slower than the bucket refills
    assert refused == 64
    tab(second_port, other).close()
    for each in opened:
        each.close()
    eventually(lambda: can_open(second_port, person), "sockets that closed are forgotten")


def can_open(port: int, cookie: str) -> bool:
    try:
        tab(port, cookie).close()
    except (ConnectionClosed, OSError):
        return False
    return True


def test_only_the_person_above_the_request_limit_is_refused(service: Service) -> None:
    person, other = invite(2, service.environment)
    assert service.get("/api/profile/", Cookie=person)[0] == 200  # now the process knows the session
    statuses: list[int] = []
    refusals: dict[str, str] = {}

    def hammer() -> None:
        for _ in range(40):
            statuses.append(service.get("/api/search/?q=anything", Cookie=person)[0])
            for path in {"/", "/api/profile/"} - refusals.keys() if statuses[-1] == 429 else ():
                status, answer = service.get(path, Cookie=f"{person}; grokweb_language=fr")
                if status == 429:
                    refusals[path] = answer

    threads = [threading.Thread(target=hammer) for _ in range(6)]
    for thread in threads:
        thread.start()
    go_on_until(service, other, lambda: not any(thread.is_alive() for thread in threads))
    assert statuses.count(200) >= 20
    assert statuses.count(429) >= 100
    assert "Trop de demandes" in refusals["/"]
    body: dict[str, Any] = json.loads(refusals["/api/profile/"])
    assert body["error"]["code"] == "too_many"
    assert body["error"]["retry_after"] >= 1


def test_without_redis_the_request_limit_is_halved(service: Service) -> None:
    (person,) = invite(1, service.environment)
    socket = tab(service.port, person)
    os.kill(service.pid("redis"), signal.SIGSTOP)
    try:
        codes: list[str] = []
        started = time.monotonic()
        while "too_many" not in codes and time.monotonic() < started + 90:
            codes.append(ask(socket))
        allowed = (BURST + RATE * (time.monotonic() - started)) / 2
        assert 5 <= codes.index("too_many") <= 1.2 * allowed
    finally:
        os.kill(service.pid("redis"), signal.SIGCONT)
