"""A service whose model is fetched by name from a hub: meanwhile, when it is here, and wrong names."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.base import exit_status
from tests.faults.client import Crowd
from tests.faults.people import invite
from tests.grokweb.service import Service, eventually
from tests.inference.hub.fake_hub import Call, FakeHub, Repository

pytestmark = [pytest.mark.faults, pytest.mark.faults_sqlite]

WEIGHTS = "model.safetensors"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[FakeHub]:
    from tests.inference.hf_folders import make_folder  # loads torch, which collecting needs not

    with FakeHub({"acme/tiny": Repository(make_folder(tmp_path / "published"))}) as running:
        yield running


def service_with(hub: FakeHub, tmp_path: Path, name: str, database_url: str) -> Service:
    return Service(
        tmp_path, GROKWEB_MODEL=name, HF_ENDPOINT=hub.url, GROKWEB_TITLES="0", DATABASE_URL=database_url
    )


def shown_model(service: Service, cookie: str) -> dict[str, object]:
    status, models = service.get("/api/models", Cookie=cookie)
    assert status == 200
    return next(iter(json.loads(models)["models"]), {})


def test_people_ask_while_the_model_is_fetched_and_it_answers_when_it_is_here(
    hub: FakeHub, tmp_path: Path, service_database_url: str
) -> None:
    go_on = threading.Event()

    def hold(call: Call) -> bool | None:
        if call.file != WEIGHTS or call.start == 0:
            return None
        go_on.wait()  # until the test, or its end, lets it
        return None

    hub.on = hold
    service = service_with(hub, tmp_path, "hf:acme/tiny", service_database_url)
    crowd = None
    try:
        service.start()
        eventually(
            lambda: service.said("the page is up; tiny is loading"), f"the page; it said {service.lines}", 180
        )
        eventually(lambda: service.said(" % of "), f"the progress; it said {service.lines}", 120)
        assert service.said("hf:acme/tiny: its licence is apache-2.0")
        [cookie] = invite(1, service.environment)
        eventually(lambda: shown_model(service, cookie).get("problem") == "fetching", "the page says so")
        crowd = Crowd(service.port, [cookie]).wait_until_connected()
        [reply] = crowd.ask("What is new?")
        go_on.set()
        eventually(lambda: service.said("GrokWeb is ready"), f"ready; it said {service.lines}", 240)
        eventually(lambda: reply.done, "a whole reply", 120)
        assert reply.text
        eventually(lambda: shown_model(service, cookie).get("problem") == "", "it is fetched no longer")
    finally:
        go_on.set()
        if crowd:
            crowd.close()
        service.close()


def test_a_wrong_name_ends_the_start_with_one_line_and_leaves_nothing(
    hub: FakeHub, tmp_path: Path, service_database_url: str
) -> None:
    service = service_with(hub, tmp_path, "hf:acme/tyni", service_database_url)
    try:
        service.start()
        assert service.ended(180) == exit_status.MODEL_UNUSABLE
        refused = f"model: hf:acme/tyni: {hub.url} has no such model"
        eventually(lambda: service.lines and service.lines[-1].startswith(refused), "the refusal is last")
        assert list((service.data / "models").iterdir()) == [service.data / "models" / ".fetching"]
    finally:
        service.close()
