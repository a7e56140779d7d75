"""Faults while models call tools, and between the steps of their replies."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from uuid import UUID

import pytest

from tests import tools
from tests.faults.client import Crowd, Reply, words
from tests.faults.drill import Drill
from tests.grokweb.service import TOOLS, Service

STEP = "slow:10:30"
TEXT = words(10) * 2


def script(tool: str, wait_ms: int = 0, then: str = STEP) -> str:
    """Returns a question whose answer calls a tool after ten words, and has ten more words after it."""
    arguments = json.dumps({"text": "noted", "wait_ms": wait_ms})
    return f"{STEP} call:{tool}:{arguments}\n{then}"


def count(drill: Drill, *statuses: str) -> int:
    listed = ", ".join(f"'{status}'" for status in statuses)
    return drill.rows.one(f"SELECT COUNT(*) FROM turns_toolcall WHERE status IN ({listed})")


@contextmanager
def tools_that_run(drill: Drill, tool: str) -> Iterator[list[Reply]]:
    """Asks, and runs the block while at least two tools run; calls of earlier drills are forgotten."""
    drill.rows.execute("DELETE FROM turns_toolcall")
    (drill.service.data / "notes.txt").unlink(missing_ok=True)
    hold = drill.service.data / tools.HOLD
    hold.touch()
    try:
        asked = drill.ask(script(tool))
        drill.wait(lambda: count(drill, "running") >= 2, "tools run")
        yield asked
    finally:
        hold.unlink(missing_ok=True)


def all_is_well(drill: Drill, asked: Sequence[Reply], *, stopped: bool = False) -> None:
    """Every reply has ended once, its page has each token once, and its rows are settled and say the same."""
    drill.wait_until_done()
    drill.is_settled()
    rows = drill.rows.replies()
    for reply in asked:
        assert reply.is_whole(), reply
        assert (reply.ends, reply.holes) == (1, 0), reply
        assert reply.saw_each_once(), reply
        assert rows[reply.generation_id]["text"] == reply.text
        assert reply.done is not None
        if not stopped:
            assert (reply.done["status"], reply.text) == ("complete", TEXT)
        else:
            assert (words(10) + words(400)).startswith(reply.text.rstrip())
            assert reply.done["status"] == "stopped", reply
    drill.wait(lambda: not count(drill, "waiting", "queued", "running"), "no call is open")
    assert drill.crowd.errors == []


def states(drill: Drill) -> list[tuple[object, ...]]:
    """Returns what the calls say, for whoever reads a failure."""
    return drill.rows.select("SELECT status, error, attempt, started_at, finished_at FROM turns_toolcall")


@pytest.fixture
def second_tabs(service: Service, cookies: list[str]) -> Iterator[Crowd]:
    """A second tab of everybody."""
    crowd = Crowd(service.port, cookies)
    try:
        yield crowd.wait_until_connected()
    finally:
        crowd.close()


def written(drill: Drill) -> int:
    file = drill.service.data / "notes.txt"
    return len(file.read_text().splitlines()) if file.exists() else 0


@pytest.mark.fault("tools worker SIGKILL, tools that only read")
def test_tools_that_only_read_are_run_again(drill: Drill) -> None:
    with tools_that_run(drill, "echo") as asked:
        drill.kill("tools-worker")
    all_is_well(drill, asked)
    assert count(drill, "done") == len(asked)
    assert drill.rows.one("SELECT MAX(attempt) FROM turns_toolcall") == 2


@pytest.mark.fault("tools worker SIGKILL, tools with side effects")
def test_tools_with_side_effects_are_never_run_again(drill: Drill) -> None:
    with tools_that_run(drill, "jot") as asked:
        drill.kill("tools-worker")
    all_is_well(drill, asked)
    unknown = count(drill, "unknown")
    assert unknown >= 2, states(drill)
    assert count(drill, "done") + unknown == len(asked), states(drill)
    assert drill.rows.one("SELECT MAX(attempt) FROM turns_toolcall") == 1
    assert len(asked) - unknown <= written(drill) <= len(asked)


@pytest.mark.fault("web SIGKILL while tools run")
def test_pages_resume_between_two_steps(drill: Drill) -> None:
    with tools_that_run(drill, "jot") as asked:
        drill.kill("web")
    all_is_well(drill, asked)
    assert written(drill) == count(drill, "done") == len(asked), states(drill)


@pytest.mark.fault("chat worker and jobs worker SIGKILL while tools run")
def test_the_next_step_needs_no_worker_that_lived(drill: Drill) -> None:
    with tools_that_run(drill, "jot") as asked:
        drill.kill("chat-worker")
        drill.kill("jobs-worker")
    all_is_well(drill, asked)
    assert written(drill) == count(drill, "done") == len(asked), states(drill)


@pytest.mark.faults_sqlite
@pytest.mark.fault("Redis SIGKILL while tools run, data lost")
def test_calls_survive_a_redis_that_loses_everything(drill: Drill) -> None:
    with tools_that_run(drill, "jot") as asked:
        shutil.rmtree(drill.service.data / "redis" / "appendonlydir")  # its open files lose their names
        drill.kill("redis")
    all_is_well(drill, asked)
    assert written(drill) == count(drill, "done") == len(asked), states(drill)


@contextmanager
def between_two_steps(drill: Drill) -> Iterator[list[Reply]]:
    """Runs the block when results are stored and nobody begins the steps that read them."""
    with ExitStack() as stack:
        with tools_that_run(drill, "jot") as asked:
            # The chat worker settles the first steps; it tells pages of calls once it has sent their tickets.
            drill.wait(lambda: all(reply.state.calls for reply in asked), "pages show all calls")
            stack.enter_context(drill.suspended("chat-worker"))
        drill.wait(
            lambda: count(drill, "done") >= 2 and not count(drill, "waiting", "queued", "running"), "results"
        )
        yield asked


@pytest.mark.fault("web SIGKILL between two steps, two tabs")
def test_both_tabs_get_the_next_step_from_a_new_web_process(drill: Drill, second_tabs: Crowd) -> None:
    with between_two_steps(drill) as asked:
        followed = second_tabs.follow(asked)
        drill.kill("web")
    all_is_well(drill, asked)
    drill.wait(lambda: all(reply.done for reply in followed), "the second tabs have their ends")
    for reply in followed:
        assert reply.is_whole(), reply
        assert reply.saw_each_once(), reply
        assert reply.text == TEXT
    assert written(drill) == len(asked), states(drill)


@pytest.mark.faults_sqlite
@pytest.mark.fault("Redis SIGKILL between two steps, data lost")
def test_the_next_step_begins_without_anything_in_redis(drill: Drill) -> None:
    with between_two_steps(drill) as asked:
        shutil.rmtree(drill.service.data / "redis" / "appendonlydir")
        drill.kill("redis")
    all_is_well(drill, asked)
    assert written(drill) == len(asked), states(drill)


@pytest.mark.slow_drill
@pytest.mark.faults_sqlite
@pytest.mark.fault("SQLite locked for longer than a write waits, while tools run")
def test_results_wait_for_a_locked_database(drill: Drill) -> None:
    log = drill.service.data / "logs" / "tools-worker.log"
    with tools_that_run(drill, "jot") as asked:
        drill.wait_until_acknowledged(asked)
        with drill.rows.locked():
            (drill.service.data / tools.HOLD).unlink()
            drill.wait(lambda: "a result waits" in log.read_text(), "a write was refused")
    all_is_well(drill, asked)
    # The leases of drills, unlike the usual ones, are shorter than a write waits: some calls may be given up.
    assert written(drill) == count(drill, "done", "unknown") == len(asked), states(drill)
    assert count(drill, "done") > 0, states(drill)


@pytest.mark.fault("two tabs decide at the same moment")
def test_one_of_two_tabs_decides(drill: Drill, second_tabs: Crowd) -> None:
    drill.rows.execute("DELETE FROM turns_toolcall")
    (drill.service.data / "notes.txt").unlink(missing_ok=True)
    asked = drill.ask(script("note"))
    drill.wait(lambda: count(drill, "waiting") == len(asked), "all ask")
    waiting = drill.rows.select(
        "SELECT g.message_id, c.id FROM turns_toolcall c JOIN turns_generation g ON g.id = c.step_id"
    )
    calls = {UUID(str(message)): str(UUID(str(call))) for message, call in waiting}
    choices = random.Random(11)
    for first, second, reply in zip(drill.crowd.tabs, second_tabs.tabs, asked, strict=True):
        call, answer = calls[UUID(reply.message_id)], choices.random() < 0.5
        drill.crowd.begin(first.decide(call, allow=answer))
        second_tabs.begin(second.decide(call, allow=not answer))
    all_is_well(drill, asked)
    assert count(drill, "done") + count(drill, "refused") == len(asked), states(drill)
    assert written(drill) == count(drill, "done"), states(drill)


@pytest.mark.fault("tools that do not return")
def test_a_process_gets_back_the_threads_of_tools_that_do_not_return(drill: Drill) -> None:
    drill.rows.execute("DELETE FROM turns_toolcall")
    hold = drill.service.data / tools.HOLD
    hold.touch()
    before = drill.service.pid(TOOLS)
    asked = drill.ask(script("stall"), slice(0, 2))
    drill.wait(lambda: count(drill, "unknown") == 2, "both are given up")
    drill.wait(lambda: drill.service.pid(TOOLS) not in (0, before), "another process runs tools")
    hold.unlink()
    more = drill.ask(script("echo"))
    all_is_well(drill, [*asked, *more])
    assert (count(drill, "unknown"), count(drill, "done")) == (2, len(more)), states(drill)


@pytest.mark.fault("model worker SIGKILL in a second step")
def test_a_second_step_is_continued(drill: Drill) -> None:
    drill.rows.execute("DELETE FROM turns_toolcall")
    asked = drill.ask(script("echo", wait_ms=0).replace("\n" + STEP, "\nslow:10:300"))
    drill.wait(lambda: sum(reply.seq > 10**9 and not reply.done for reply in asked) >= 2, "second steps")
    drill.kill("model-worker")
    all_is_well(drill, asked)


@pytest.mark.faults_sqlite
@pytest.mark.fault("stop at every moment between two steps")
def test_a_stop_at_any_moment_ends_the_reply(drill: Drill) -> None:
    drill.rows.execute("DELETE FROM turns_toolcall")
    asked = drill.ask(script("jot", wait_ms=300, then="slow:400:30"))  # none ends by itself
    drill.wait(lambda: all(reply.seq for reply in asked), "all write")
    order = list(asked)
    random.Random(7).shuffle(order)
    for number, reply in enumerate(order, start=9):
        drill.wait(lambda: reply.done or reply.seq > 10**9 or reply.seq >= number, "it came so far")  # noqa: B023
        drill.stop(reply)
    all_is_well(drill, asked, stopped=True)
