"""A person stops a reply, wherever it is."""

from __future__ import annotations

import signal
import time

import pytest

from tests.faults.client import Reply, words
from tests.faults.drill import WORDS, Blow, Drill

pytestmark = pytest.mark.faults_sqlite


def is_stopped(drill: Drill, reply: Reply) -> bool:
    row = drill.row(reply)
    return (
        reply.done is not None
        and (reply.done["status"], row["status"]) == ("stopped", "stopped")
        and words(WORDS).startswith(reply.text.rstrip())
    )


@pytest.mark.fault("stop before the first token")
def test_a_waiting_reply_is_stopped_before_its_first_token(drill: Drill) -> None:
    asked = drill.ask(who=slice(0, 6))
    drill.wait_until_writing(1, replies=6)
    waiting, also_waiting = drill.ask(who=slice(6, 8))
    drill.wait_until_acknowledged([waiting, also_waiting])
    drill.stop(waiting)
    drill.wait(lambda: waiting.done, "the waiting reply stopped", 5)
    assert all(reply.done is None for reply in asked)
    drill.ended_well(others=(waiting,))
    assert is_stopped(drill, waiting)
    assert waiting.seq == 0


@pytest.mark.fault("stop in the middle")
def test_just_as_it_runs_and_in_the_middle(drill: Drill) -> None:
    at_once, later, *rest = drill.ask(who=slice(0, 5))
    drill.wait_until_acknowledged([at_once])
    drill.stop(at_once)
    drill.wait(lambda: later.seq >= 10, "ten tokens")
    drill.stop(later)
    drill.wait(lambda: at_once.done and later.done, "both stopped", 5)
    assert all(reply.done is None for reply in rest)
    drill.ended_well(others=(at_once, later))
    assert is_stopped(drill, at_once)
    assert is_stopped(drill, later)
    assert later.seq < WORDS


@pytest.mark.fault("stop while the worker sleeps")
def test_while_its_worker_does_not_answer(drill: Drill) -> None:
    """Nobody is there to stop it: reconcile ends it once the lease is gone; the worker wakes too late."""
    given_up, *rest = drill.ask(who=slice(0, 3))
    drill.wait_until_writing(5, replies=3)
    drill.send_signal("model-worker", signal.SIGSTOP)
    try:
        drill.stop(given_up)
        drill.wait(lambda: given_up.done, "ended without its worker", 20)
    finally:
        drill.send_signal("model-worker", signal.SIGCONT)
    drill.ended_well(others=(given_up,))
    assert is_stopped(drill, given_up)
    drill.nobody_is_blamed(rest)


@pytest.mark.fault("stop: one more token at most")
def test_one_more_token_at_most_and_the_slot_is_free(drill: Drill) -> None:
    """Words come further apart than the worker looks for stops, so at most one was under way."""
    asked = drill.ask("slow:8:500", who=slice(0, 6))
    drill.wait(lambda: all(reply.seq for reply in asked), "six replies begun")
    (waiting,) = drill.ask("echo:at last", who=slice(6, 7))
    drill.wait(lambda: waiting.places, "the seventh waits")
    given_up = asked[0]
    before = given_up.seq
    drill.blows.append(Blow(time.perf_counter(), [waiting]))
    drill.stop(given_up)
    drill.wait(lambda: given_up.done, "stopped")
    assert given_up.seq <= before + 1
    drill.wait(lambda: waiting.seq, "the slot serves the next")
    assert not any(reply.done for reply in asked[1:])
    drill.ended_well(others=(given_up,))
    assert drill.row(given_up)["status"] == "stopped"
