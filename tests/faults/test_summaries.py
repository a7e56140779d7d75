"""Faults while summaries of long conversations are written: nobody waits, nothing is charged twice."""

from __future__ import annotations

import shutil
import urllib.request
from typing import Any

import pytest

from inference.wire import log
from tests.faults.client import Reply, words
from tests.faults.drill import Drill

QUESTION = "echo:keep this in mind\nsummary:slow:60:40"
PEOPLE = slice(0, 4)  # all of their summaries run at once
CSRF = "x" * 32
ROWS = "SELECT id, status, text, attempt, last_id FROM turns_summary ORDER BY created_at"


def key_of(pk: object) -> str:
    return str(pk).replace("-", "")


def summarise(drill: Drill, cookies: list[str], replies: list[Reply]) -> None:
    """Each person asks for a summary of their conversation up to the answer."""
    for cookie, reply in zip(cookies, replies, strict=False):
        request = urllib.request.Request(
            f"http://127.0.0.1:{drill.service.port}/api/messages/{reply.message_id}/summary/",
            data=b"{}",
            headers={
                "Cookie": f"{cookie}; grokweb_csrf={CSRF}",
                "X-CSRFToken": CSRF,
                "Content-Type": "application/json",
            },
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200


def summaries(drill: Drill, replies: list[Reply]) -> list[tuple[Any, ...]]:
    """Returns id, status, text and attempt of the summaries of these conversations, oldest first."""
    wanted = {key_of(reply.message_id) for reply in replies}
    return [row[:4] for row in drill.rows.select(ROWS) if key_of(row[4]) in wanted]


def wait_until_written(drill: Drill, replies: list[Reply], tokens: int) -> None:
    """Waits until the newest summary of each conversation has so many tokens."""

    def have_begun() -> bool:
        rows = summaries(drill, replies)[-len(replies) :]
        with drill.store.client() as client:
            logs = [log.read(client, _uuid(pk)) for pk, *_ in rows]
        return all(each.pieces and each.pieces[-1].seq >= tokens for each in logs)

    drill.wait(have_begun, f"summaries at {tokens} tokens")


def _uuid(pk: object) -> str:
    key = key_of(pk)
    return "-".join((key[:8], key[8:12], key[12:16], key[16:20], key[20:]))


def ended(drill: Drill, replies: list[Reply]) -> list[tuple[str, str]]:
    """Returns status and text of the summaries when nothing is open any more."""
    drill.wait(lambda: not any(row[1] == "waiting" for row in summaries(drill, replies)), "summaries ended")
    drill.ended_well()
    return [(status, text) for _, status, text, _ in summaries(drill, replies)]


def begin(drill: Drill, cookies: list[str]) -> list[Reply]:
    """Returns the replies of conversations whose summaries are being written."""
    asked = drill.ask(QUESTION, PEOPLE)
    drill.ended_well()
    summarise(drill, cookies, asked)
    wait_until_written(drill, asked, 5)
    return asked


WHOLE = ("ready", words(60))


@pytest.mark.fault("model worker SIGKILL in a summary")
def test_a_summary_fails_with_its_worker_and_can_be_asked_for_again(drill: Drill, cookies: list[str]) -> None:
    asked = begin(drill, cookies)
    drill.kill("model-worker")
    assert ended(drill, asked) == [("failed", "")] * 4
    summarise(drill, cookies, asked)  # they may be asked for again
    assert ended(drill, asked) == [("failed", "")] * 4 + [WHOLE] * 4
    assert {drill.row(reply)["strikes"] for reply in asked} == {0}


@pytest.mark.faults_sqlite
@pytest.mark.fault("Redis SIGKILL in a summary, data lost")
def test_summaries_survive_a_redis_that_lost_everything(drill: Drill, cookies: list[str]) -> None:
    asked = begin(drill, cookies)
    shutil.rmtree(drill.service.data / "redis" / "appendonlydir")  # its open files lose their names
    drill.kill("redis")
    assert ended(drill, asked) == [WHOLE] * 4
    assert {attempt for *_, attempt in summaries(drill, asked)} == {1}  # the worker held them


@pytest.mark.faults_sqlite
@pytest.mark.fault("web process, chat and jobs worker SIGKILL in a summary")
def test_summaries_survive_the_death_of_web_chat_and_jobs(drill: Drill, cookies: list[str]) -> None:
    asked = begin(drill, cookies)
    for name in ("chat-worker", "jobs-worker", "web"):
        drill.kill(name)
    assert ended(drill, asked) == [WHOLE] * 4
