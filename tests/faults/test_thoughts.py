"""Faults while a model thinks and after it: thought and answer stay whole, and apart."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import pytest

from tests.faults.client import Reply, divided
from tests.faults.drill import Drill

SCRIPT = "think:20:slow:60:40"
LONG = "think:50:slow:59:100"


def thoughts_are_whole(replies: Sequence[Reply]) -> None:
    thought, answer = divided(SCRIPT)
    for reply in replies:
        parts = [(part.kind, part.text) for part in reply.state.parts]
        assert parts == [("thought", thought), ("text", answer)]


@pytest.mark.fault("model worker SIGKILL in a thought")
def test_thoughts_survive_the_death_of_their_worker(drill: Drill) -> None:
    asked = drill.ask(SCRIPT)
    drill.wait_until_writing(5, replies=6)
    drill.kill("model-worker")
    drill.ended_well()
    thoughts_are_whole(asked)


@pytest.mark.fault("web SIGKILL after a thought")
def test_thoughts_survive_the_death_of_the_web_process(drill: Drill) -> None:
    asked = drill.ask(SCRIPT)
    drill.wait_until_writing(22, replies=6)
    drill.kill("web")
    drill.ended_well()
    thoughts_are_whole(asked)


@pytest.mark.faults_sqlite
@pytest.mark.fault("Redis SIGKILL in a thought, data lost")
def test_thoughts_survive_a_redis_that_lost_everything(drill: Drill) -> None:
    asked = drill.ask(SCRIPT)
    drill.wait_until_writing(5, replies=6)
    shutil.rmtree(drill.service.data / "redis" / "appendonlydir")  # its open files lose their names
    drill.kill("redis")
    drill.ended_well()
    thoughts_are_whole(asked)


@pytest.mark.faults_sqlite
@pytest.mark.fault("model worker SIGKILL in a continued thought")
def test_continued_thoughts_survive_the_death_of_their_worker(drill: Drill) -> None:
    asked = drill.ask(LONG)
    drill.wait_until_writing(2, replies=6)
    for reply in drill.in_the_middle():
        drill.stop(reply)
    drill.wait_until_done()
    cut = [reply for reply in asked if reply.done and reply.done["status"] == "stopped"]
    more = [drill.go_on(reply) for reply in cut]
    drill.wait(lambda: sum(reply.seq >= 3 for reply in more) >= 4, "four continued thoughts")
    drill.kill("model-worker")
    drill.ended_well(others=tuple(asked))
    thought, answer = divided(LONG)
    for before, reply in zip(cut, more, strict=True):
        assert before.state.everything + reply.state.everything == thought + answer
        assert reply.text == answer
