"""Two models answer one question while something breaks: each answer ends as if it were alone."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from uuid import UUID

import pytest

from tests.faults.client import Reply, words
from tests.faults.drill import SCRIPT, WORDS, Drill
from tests.faults.model_worker import ModelWorker
from tests.grokweb.service import Service

pytestmark = [pytest.mark.faults_sqlite, pytest.mark.untimed]
FIRST, SECOND = "scripted", "scripted-restart"  # the second one cannot continue what another run began
CHARGES = "SELECT generation FROM quotas_usageentry WHERE settled_at IS NOT NULL"


@pytest.fixture(scope="module")
def second(service: Service) -> Iterator[ModelWorker]:
    worker = ModelWorker(service, "second-model", model="scripted:restart", slug=SECOND)
    try:
        yield worker.start()
    finally:
        worker.close()


@pytest.fixture
def pairs(drill: Drill, second: ModelWorker) -> Drill:
    """Both models have a worker."""

    def both_run() -> bool:
        announced = drill.rows.has_model(SECOND)
        return announced and any(worker.slots for worker in drill.store.workers(SECOND))

    drill.wait(both_run, "two models")
    return drill


def ask_both(drill: Drill, people: int) -> tuple[list[Reply], list[Reply]]:
    """So many people ask both; returns the answers of each model when all are in the middle."""
    firsts = drill.crowd.ask(SCRIPT, slice(0, people), model=FIRST, also=SECOND)

    def seconds() -> list[Reply]:
        return [reply.beside for reply in firsts if reply.beside is not None]

    drill.wait(lambda: len(seconds()) == people, "all acknowledged")
    both = firsts + seconds()
    drill.wait(lambda: all(reply.seq >= 5 for reply in both), "all in the middle")
    assert not any(reply.done for reply in both)
    return firsts, seconds()


def columns(drill: Drill, cookie: str, first: Reply) -> list[tuple[int, str, str, str]]:
    """Returns column, model, status and text of the two answers that a page of the conversation shows."""
    status, page = drill.service.get(f"/api/conversations/{first.conversation}/messages/", Cookie=cookie)
    assert status == 200
    shown = json.loads(page)
    both = (shown["messages"][-1], shown["beside"])
    return [(each["column"], each["generation"]["model"], each["status"], each["text"]) for each in both]


def both_are_shown(drill: Drill, cookies: Sequence[str], firsts: Sequence[Reply]) -> None:
    for cookie, first in zip(cookies, firsts, strict=False):
        assert first.done is not None
        assert first.beside is not None
        assert first.beside.done is not None
        assert columns(drill, cookie, first) == [
            (1, FIRST, first.done["status"], first.text),
            (2, SECOND, first.beside.done["status"], first.beside.text),
        ]


def each_is_charged_once(drill: Drill, replies: Sequence[Reply]) -> None:
    charges = Counter(str(UUID(str(generation))) for (generation,) in drill.rows.select(CHARGES))
    assert [charges[reply.generation_id] for reply in replies] == [1] * len(replies)


def test_the_worker_of_one_model_dies_and_the_other_column_is_written_on(
    pairs: Drill, second: ModelWorker, cookies: list[str]
) -> None:
    firsts, seconds = ask_both(pairs, 2)
    pairs.strike(second.pid, signal.SIGKILL, seconds)
    pairs.wait(second.has_ended, "the second model's worker killed")
    second.start()
    pairs.ended_well(
        undisturbed={
            **{reply.generation_id: words(WORDS) for reply in firsts},
            **{reply.generation_id: words(WORDS).upper() for reply in seconds},  # written by another run
        }
    )
    assert [(pairs.row(reply)["attempt"], pairs.row(reply)["run"]) for reply in firsts] == [(1, 0)] * 2
    each_is_charged_once(pairs, firsts + seconds)
    both_are_shown(pairs, cookies, firsts)


def test_both_columns_survive_the_web_and_jobs_processes(pairs: Drill, cookies: list[str]) -> None:
    firsts, seconds = ask_both(pairs, 2)
    for name in ("web", "chat-worker", "jobs-worker"):
        pairs.kill(name)
    pairs.ended_well()
    assert {(pairs.row(reply)["attempt"], pairs.row(reply)["strikes"]) for reply in firsts + seconds} == {
        (1, 0)
    }
    each_is_charged_once(pairs, firsts + seconds)
    both_are_shown(pairs, cookies, firsts)


def test_a_pair_is_stopped_while_one_of_its_workers_does_not_answer(
    pairs: Drill, second: ModelWorker, cookies: list[str]
) -> None:
    [first], [beside] = ask_both(pairs, 1)
    pairs.strike(second.pid, signal.SIGSTOP, [beside])
    try:
        pairs.stop(first)
        pairs.stop(beside)
        pairs.wait(lambda: first.done and beside.done, "both stopped", 20)
    finally:
        second.send_signal(signal.SIGCONT)
    pairs.ended_well(others=(first, beside))
    for reply in (first, beside):
        assert pairs.row(reply)["status"] == "stopped"
        assert words(WORDS).startswith(reply.text.rstrip())
        assert 5 <= reply.seq < WORDS
    each_is_charged_once(pairs, [first, beside])
    both_are_shown(pairs, cookies, [first])
