"""Redis dies, with and without what it held."""

from __future__ import annotations

import shutil

import pytest

from tests.faults.drill import Drill

pytestmark = pytest.mark.faults_sqlite


@pytest.mark.fault("Redis SIGKILL, data kept")
def test_replies_survive_a_killed_redis_that_keeps_its_data(drill: Drill) -> None:
    asked = drill.ask()
    drill.wait_until_writing(15, replies=6)
    drill.kill("redis")
    drill.ended_well()
    assert [drill.row(reply)["strikes"] for reply in asked] == [0] * 8
    # Nobody holds on to a connection from before: a new question is answered at once.
    (late,) = drill.ask(who=slice(0, 1))
    drill.wait(lambda: late.seq, "a first token without delay", 3)
    drill.ended_well()


@pytest.mark.fault("Redis SIGKILL, data lost")
def test_replies_survive_a_killed_redis_that_lost_everything(drill: Drill) -> None:
    asked = drill.ask()
    drill.wait_until_writing(15, replies=6)
    shutil.rmtree(drill.service.data / "redis" / "appendonlydir")  # its open files lose their names
    drill.kill("redis")
    drill.ended_well()
    assert [drill.row(reply)["strikes"] for reply in asked] == [0] * 8
