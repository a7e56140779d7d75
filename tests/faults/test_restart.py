"""Everything stops in the middle of replies; the next start goes on with them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.faults.client import Crowd
from tests.faults.conftest import PEOPLE
from tests.faults.drill import Drill
from tests.faults.people import invite
from tests.faults.rows import Rows
from tests.grokweb.service import Service

pytestmark = pytest.mark.faults_sqlite


@pytest.mark.fault("full stop and start")
def test_stopped_and_started_again(drill: Drill) -> None:
    asked = drill.ask()
    drill.wait_until_writing(5, replies=6)
    assert drill.service.process is not None
    os.kill(drill.service.process.pid, signal.SIGTERM)
    assert drill.service.ended(20) == 0
    half = [reply.seq for reply in asked]
    assert any(0 < seq < 60 for seq in half)
    assert {1012} == {tab.closes[0] for tab in drill.crowd.tabs}
    drill.service.lines.clear()
    drill.service.start().wait_until_ready()
    drill.ended_well()
    assert {(drill.row(reply)["attempt"], drill.row(reply)["strikes"]) for reply in asked} == {(1, 0)}


@pytest.mark.default_timings
def test_default_timings(tmp_path: Path) -> None:
    """As an operator runs it: within 30 s of a death replies go on, and all of them end well."""
    url = f"sqlite:///{tmp_path / 'drill.sqlite3'}"
    service = Service(tmp_path, DATABASE_URL=url)
    crowd = None
    try:
        service.start().wait_until_ready()
        crowd = Crowd(service.port, invite(PEOPLE, service.environment)).wait_until_connected()
        drill = Drill(service, Rows(url), crowd)
        asked = drill.ask("slow:60:100")
        drill.wait_until_writing(10, replies=4)
        drill.kill("model-worker")
        held = [reply.seq for reply in asked]
        drill.wait(
            lambda: sum(r.seq > seq or bool(r.done) for r, seq in zip(asked, held, strict=True)) > 0,
            "something moves again",
            30,
        )
        drill.ended_well()
        drill.ask("slow:60:100")
        drill.wait_until_writing(10, replies=4)
        drill.kill("redis")
        drill.ended_well()
    finally:
        if crowd is not None:
            crowd.close()
        service.close()
