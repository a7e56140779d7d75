"""Sends one reply through real processes: its id is in their logs, its text in no log or metric."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.client import Crowd
from tests.faults.people import invite
from tests.grokweb.service import PATIENCE, Service, eventually

pytestmark = [pytest.mark.faults]

WORDS = ("xylocarp", "quokkaberry", "zibeline")  # in the question and in the answer; the last is the title


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Starts a service in which every library logs everything."""
    made = Service(tmp_path_factory.mktemp("private-logs"), GROKWEB_LOG_LEVEL="DEBUG").with_tables()
    try:
        yield made.start().wait_until_ready()
    finally:
        made.close()


def logs(service: Service) -> dict[str, str]:
    return {path.stem: path.read_text() for path in (service.data / "logs").glob("*.log*")}


def lines(text: str, generation: str) -> dict[str, dict[str, Any]]:
    """Returns our own log lines about one generation, by event."""
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{") and generation in line]
    return {each["event"]: each for each in found if each.get("generation") == generation}


def test_logs_contain_ids_and_numbers_but_no_text(service: Service) -> None:
    crowd = Crowd(service.port, invite(1, service.environment)).wait_until_connected(PATIENCE)
    try:
        text = f"{WORDS[0]} {WORDS[1]} title:{WORDS[2]}"
        reply = crowd.ask(f"echo:{text}")[0]
        eventually(lambda: reply.done is not None, "the end of the reply")
        assert reply.text == text
        eventually(lambda: "reply settled" in logs(service)["chat-worker"], "the settlement in the log")
        eventually(lambda: "title stored" in logs(service)["chat-worker"], "the title in the log")
    finally:
        crowd.close()
    written, pk = logs(service), reply.generation_id
    asked = lines(written["web"], pk)["reply asked for"]
    begun = lines(written["model-worker"], pk)["reply begun"]
    ended = lines(written["model-worker"], pk)["reply ended"]
    settled = lines(written["chat-worker"], pk)["reply settled"]
    assert {each["model"] for each in (asked, begun, ended, settled)} == {"scripted"}
    assert begun["worker"] == ended["worker"] != ""
    assert (ended["reason"], ended["tokens"]) == ("stop", 3)
    assert (settled["status"], settled["completion_tokens"]) == ("complete", 3)
    assert settled["queued_ms"] <= settled["first_token_ms"] <= settled["total_ms"]
    metrics = service.get("/metrics")[1]
    assert "grokweb_reply_tokens_count" in metrics
    for name, text in {**written, "metrics": metrics, "terminal": "\n".join(service.lines)}.items():
        assert not [word for word in WORDS if word in text], name
