"""Tests a GPU host (docs/operators.md): the web host runs no worker, another model announces itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.model_worker import ModelWorker
from tests.faults.people import invite
from tests.grokweb.service import ROOT, Service, eventually

pytestmark = [pytest.mark.faults, pytest.mark.faults_sqlite]

DEMO = str(ROOT / "inference" / "demo" / "model")


@pytest.fixture
def web_host(tmp_path: Path, service_database_url: str) -> Iterator[Service]:
    running = Service(
        tmp_path,
        GROKWEB_MODEL=DEMO,
        GROKWEB_SLOTS="2",
        GROKWEB_RECONCILE_SECONDS="0.5",
        DATABASE_URL=service_database_url,
    )
    try:
        yield running.start("--without", "model-worker").wait_until_ready()
    finally:
        running.close()


def new_chats_use(service: Service, cookie: str) -> str:
    """Returns the model that the page of a new chat shows."""
    status, page = service.get("/", Cookie=cookie)
    assert status == 200
    data = page.partition('<script id="page" type="application/json">')[2].partition("</script>")[0]
    return str(json.loads(data)["model"]["slug"])


def test_new_chats_go_to_the_model_that_runs_elsewhere(web_host: Service) -> None:
    [cookie] = invite(1, web_host.environment)
    assert new_chats_use(web_host, cookie) == "grokweb-demo"  # configured, and none was seen
    worker = ModelWorker(web_host, "gpu-host").start()
    try:
        eventually(lambda: new_chats_use(web_host, cookie) == "scripted", "new chats use what runs")
    finally:
        worker.close()
    assert new_chats_use(web_host, cookie) == "scripted"  # its worker may come back
