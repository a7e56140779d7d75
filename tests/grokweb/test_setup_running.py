"""A running service gets a model from the setup page: its worker starts without a restart, and it answers."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from inference.base.model_list.entries import read
from tests.e2e import people
from tests.faults.client import Crowd
from tests.grokweb.service import Service, eventually
from tests.inference.servers.fake_server import MODEL, FakeServer

pytestmark = [pytest.mark.faults, pytest.mark.faults_sqlite]


class SetupPage:
    """The page, as an administrator's browser uses it without scripts."""

    def __init__(self, service: Service, session: str) -> None:
        self.service, self.session = service, session
        self.url = f"http://127.0.0.1:{service.port}/admin/setup/"

    def state(self) -> dict[str, object]:
        status, answer = self.service.get("/admin/setup/state/", Cookie=self.session)
        return dict(json.loads(answer)) if status == 200 else {}

    def send(self, **fields: str) -> str:
        """Posts one step. Returns the page that follows."""
        with urllib.request.urlopen(
            urllib.request.Request(self.url, headers={"Cookie": self.session})
        ) as page:
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.read().decode())
            cookie = str(page.headers["Set-Cookie"]).partition(";")[0]
        assert token is not None
        body = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token[1]}).encode()
        headers = {"Cookie": f"{self.session}; {cookie}", "Referer": self.url}
        with urllib.request.urlopen(urllib.request.Request(self.url, body, headers)) as answer:
            return str(answer.read().decode())


@pytest.fixture
def administrator(fresh: Service) -> tuple[Service, people.Person]:
    return fresh.start().wait_until_ready(), people.invite(0, fresh.environment)[0]


def answers(crowd: Crowd) -> bool:
    """Asks the chosen model; until the web side has read the worker's announcement there is no such model."""
    [reply] = crowd.ask("hello", slice(1), model=MODEL)
    eventually(lambda: reply.done or crowd.errors, "an answer or an error")
    crowd.tabs[0].errors.clear()
    return bool(reply.done) and reply.text == "From the server"


def test_a_chosen_server_answers_without_a_restart(administrator: tuple[Service, people.Person]) -> None:
    service, admin = administrator
    session = f"{admin.cookie}={admin.value}"
    page = SetupPage(service, session)
    assert page.state()["slug"] == "scripted"
    web, worker = service.pid("web"), service.pid("model-worker")
    with FakeServer(lambda call: call.ok("From ", "the server")) as server:
        assert 'class="errornote"' not in page.send(step="server", url=server.base, model=MODEL)
        eventually(
            lambda: page.state() and page.state()["kind"] == "answers", "the page says that it answers"
        )
        assert page.state()["slug"] == MODEL
        crowd = Crowd(service.port, [session]).wait_until_connected()
        try:
            eventually(lambda: answers(crowd), "an answer")
        finally:
            crowd.close()
    assert (service.pid("web"), service.pid("model-worker")) == (web, worker)
    eventually(lambda: page.state()["kind"] == "problem", "the page says that its server is gone")
    assert "does not answer" in str(page.state()["words"])
    assert Path(service.data / "models.toml").exists()
    assert read(service.data).default == MODEL
