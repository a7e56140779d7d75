"""Everything stops in the middle of replies; the next start goes on with them."""

from __future__ import annotations

import os
import signal

import pytest

from tests.faults.drill import Drill

pytestmark = pytest.mark.faults_sqlite


@pytest.mark.fault("full stop and start")
def test_replies_continue_after_a_stop_and_a_start(drill: Drill) -> None:
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
