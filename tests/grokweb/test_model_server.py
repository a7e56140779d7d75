"""A service whose model is on an OpenAI-compatible server: the server is there, is gone, and is back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.client import Crowd
from tests.faults.people import invite
from tests.grokweb.service import Service, eventually
from tests.inference.servers.fake_server import MODEL, Call, FakeServer, event, head

pytestmark = [pytest.mark.faults, pytest.mark.faults_sqlite]

SECRET = "sk-never-in-a-log"
WORDS = "purple elephants dance"


def answer(call: Call) -> None:
    if call.body["messages"][-1]["content"] == "wait":
        call.send(head() + event("I wait").encode())
        call.until_left()
    else:
        call.ok("The ", "server ", "answers ", WORDS)


@pytest.fixture
def started(tmp_path: Path, service_database_url: str) -> Iterator[tuple[Service, FakeServer]]:
    with FakeServer(answer) as server:
        service = Service(
            tmp_path,
            GROKWEB_MODEL=f"{server.base}#{MODEL}",
            GROKWEB_MODEL_KEY=SECRET,
            GROKWEB_TITLES="0",
            DATABASE_URL=service_database_url,
        )
        try:
            yield service.start().wait_until_ready(), server
        finally:
            service.close()


def problem_of_the_model(service: Service, cookie: str) -> str:
    status, models = service.get("/api/models", Cookie=cookie)
    assert status == 200
    [model] = json.loads(models)["models"]
    return str(model["problem"])


def test_replies_come_from_the_server_and_wait_while_it_is_gone(
    started: tuple[Service, FakeServer],
) -> None:
    service, server = started
    [cookie] = invite(1, service.environment)
    crowd = Crowd(service.port, [cookie]).wait_until_connected()
    try:
        [reply] = crowd.ask("What is new?")
        eventually(lambda: reply.done, "a whole reply")
        assert reply.text == f"The server answers {WORDS}"
        counted = 'grokweb_outbound_requests_total{outcome="complete",purpose="engine"}'
        eventually(lambda: counted in service.get("/metrics")[1], "the worker's requests are counted")

        [waiting] = crowd.ask("wait")
        eventually(lambda: waiting.text == "I wait", "the beginning of a reply")
        crowd.stop(waiting)
        assert server.calls[-1].was_left.wait(60)
        eventually(lambda: waiting.done, "the end of a stopped reply")

        server.__exit__()
        [failed] = crowd.ask("Is anybody there?")
        eventually(lambda: failed.done, "the end of a reply that no server makes")
        eventually(lambda: problem_of_the_model(service, cookie) == "server_unavailable", "the problem shows")
        [later] = crowd.ask("And now?")
        with FakeServer(answer, port=server.port):
            eventually(lambda: later.done, "the reply that waited")
            assert later.text == f"The server answers {WORDS}"
            assert problem_of_the_model(service, cookie) == ""
    finally:
        crowd.close()
    logs = [path.read_text() for path in (service.data / "logs").glob("*.log")]
    said = "".join([*logs, *service.lines])
    for secret in (SECRET, WORDS, "Is anybody there?", str(server.port)):
        assert secret not in said
