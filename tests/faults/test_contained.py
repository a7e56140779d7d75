"""Replies that fail inside the engine: each alone, with its own words, and nobody beside it."""

from __future__ import annotations

import pytest

from tests.faults.client import Reply
from tests.faults.drill import Drill

pytestmark = pytest.mark.faults_sqlite

CODES = {"oom:": "out_of_memory", "nan:": "nan_logits", "raise:": "engine_error"}


@pytest.mark.fault("out of memory, NaN, exception")
def test_only_that_reply_fails(drill: Drill) -> None:
    worker = drill.service.pid("model-worker")
    neighbours = drill.ask(who=slice(0, 3))
    drill.wait_until_writing(10, replies=3)
    hostile: list[Reply] = []
    for place, script in enumerate(CODES, start=3):
        hostile += drill.ask(script, who=slice(place, place + 1))
    drill.wait(lambda: all(reply.done for reply in hostile), "the three failed")
    assert not any(reply.done for reply in neighbours)
    drill.ended_well(others=tuple(hostile))
    rows = [drill.row(reply) for reply in hostile]
    assert [row["error"] for row in rows] == list(CODES.values())
    assert {row["status"] for row in rows} == {"failed"}
    assert len({reply.done["words"] for reply in hostile if reply.done}) == 3
    assert {drill.row(reply)["strikes"] for reply in drill.crowd.replies} == {0}
    assert drill.service.pid("model-worker") == worker
