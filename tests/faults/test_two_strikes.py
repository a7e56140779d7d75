"""A reply that ends its worker: given up after two deaths, and nobody else with it."""

from __future__ import annotations

import pytest

from tests.faults.drill import Drill

pytestmark = pytest.mark.faults_sqlite


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("poison:", marks=pytest.mark.fault("poison prompt")),
        pytest.param("hang:", marks=pytest.mark.fault("engine hangs")),
    ],
)
def test_a_reply_that_kills_its_worker_twice_fails(drill: Drill, script: str) -> None:
    neighbours = drill.ask(who=slice(0, 3))
    drill.wait_until_writing(30, replies=3)
    (hostile,) = drill.ask(script, who=slice(3, 4))
    drill.ended_well(others=(hostile,))
    assert hostile.done is not None
    assert hostile.done["status"] == "failed"
    assert hostile.done["words"].startswith("The model's process died twice")
    row = drill.row(hostile)
    assert (row["status"], row["strikes"], row["error"]) == ("failed", 2, "poison")
    assert {drill.row(reply)["strikes"] for reply in neighbours} == {1}
