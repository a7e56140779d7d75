"""Tests that no log contains what people write: every entry point, every status, both databases."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.people import invite
from tests.faults.rows import Rows
from tests.grokweb.doors import CANARY, Doors, paths, spellings
from tests.grokweb.service import Service, eventually

pytestmark = [pytest.mark.faults]

STATUSES = {200, 302, 400, 401, 403, 404, 405, 413, 429, 500, 503}


@pytest.fixture
def running(tmp_path: Path, service_database_url: str) -> Iterator[Service]:
    made = Service(
        tmp_path,
        GROKWEB_LOG_LEVEL="DEBUG",
        GROKWEB_PERSON_RATE="100000",
        DATABASE_URL=service_database_url,
        REDIS_URL="",
    )
    try:
        yield made.start().wait_until_ready()
    finally:
        made.close()


def everything_logged(service: Service) -> dict[str, str]:
    files = {path.name: path.read_text(errors="replace") for path in (service.data / "logs").iterdir()}
    return {**files, "terminal": "\n".join(service.lines)}


def test_no_log_contains_text_that_people_wrote(running: Service, service_database_url: str) -> None:
    assert len(paths()) > 100
    person, admin = invite(2, running.environment)
    rows = Rows(service_database_url)
    doors = Doors(running)
    doors.knock_badly(person)
    doors.knock_everywhere()
    doors.knock_everywhere(person)
    make_staff(running, rows, admin)
    doors.knock_everywhere(admin, methods=("GET", "POST"))
    doors.speak(person)
    doors.send_tasks()
    redis = running.pid("redis")
    os.kill(redis, signal.SIGSTOP)
    try:
        doors.ask("POST", "/accounts/login/", f"login={CANARY}&password={CANARY}".encode(),
                  kind="application/x-www-form-urlencoded")  # fmt: skip
    finally:
        os.kill(redis, signal.SIGCONT)
    rows.execute("ALTER TABLE conversations_conversation RENAME TO conversations_elsewhere")
    doors.knock_everywhere(person, methods=("GET", "POST"))
    doors.speak(person)
    missing = STATUSES - set(doors.seen)
    assert not missing, doors.seen
    eventually(
        lambda: "chat.finish_generation" in everything_logged(running)["chat-worker.log"], "failed tasks"
    )
    for name, text in everything_logged(running).items():
        found = [line for line in text.splitlines() if any(each in line for each in spellings())]
        assert not found, (name, len(found), found[:3])


def make_staff(service: Service, rows: Rows, cookie: str) -> None:
    person = json.loads(service.get("/api/profile/", Cookie=cookie)[1])["id"]
    rows.execute(
        "UPDATE accounts_user SET is_staff = TRUE, is_superuser = TRUE"
        f" WHERE REPLACE(CAST(id AS TEXT), '-', '') = '{person.replace('-', '')}'"
    )
