"""The model worker dies, sleeps, leaves: replies go on where they were."""

from __future__ import annotations

import signal

import pytest

from tests.faults.drill import Drill


@pytest.mark.fault("model worker SIGKILL")
def test_a_killed_worker_costs_its_replies_one_strike(drill: Drill) -> None:
    asked = drill.ask()
    drill.wait_until_writing(35, replies=6)
    drill.kill("model-worker")
    drill.ended_well()
    rows = drill.rows.replies()
    found = sorted((rows[r.generation_id]["attempt"], rows[r.generation_id]["strikes"]) for r in asked)
    # Six were in flight: a new attempt and one strike each. Two waited: nothing happened to them.
    assert found == [(1, 0)] * 2 + [(2, 1)] * 6


@pytest.mark.fault("model worker SIGSTOP")
def test_replies_survive_a_worker_that_slept_longer_than_its_lease(drill: Drill) -> None:
    asked = drill.ask()
    drill.wait_until_writing(30, replies=6)
    drill.send_signal("model-worker", signal.SIGSTOP)
    try:
        drill.wait(
            lambda: [drill.row(reply)["strikes"] for reply in asked].count(1) == 6, "six replies given up"
        )
    finally:
        drill.send_signal("model-worker", signal.SIGCONT)
    drill.ended_well()
    rows = [drill.row(reply) for reply in asked]
    assert sorted(row["attempt"] for row in rows) == [1] * 2 + [2] * 6
    drill.nobody_is_blamed(asked)


@pytest.mark.fault("model worker SIGTERM")
def test_asked_to_leave(drill: Drill) -> None:
    """SIGTERM: it goes on for GROKWEB_HANDOVER_SECONDS, then gives the rest back without a strike."""
    asked = drill.ask()
    drill.wait_until_writing(5, replies=6)
    drill.kill("model-worker", signal.SIGTERM)
    assert any(reply.seq > 0 and reply.done is None for reply in asked)
    drill.ended_well()
    rows = [drill.row(reply) for reply in asked]
    assert {(row["attempt"], row["strikes"]) for row in rows} == {(1, 0)}
