"""The setup page tells the truth about the model, without a question to its server."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from inference.base.lines import english
from inference.base.model_list import state
from inference.base.model_list.entries import path_in
from inference.base.model_list.state import ServiceState, Step, WorkerState
from tests.grokweb.broken_servers import Mail, serving
from tests.grokweb.first_setup.page_client import PAGE, SECRET, post
from tests.inference.servers.fake_server import MODEL, FakeServer


def test_opening_the_page_asks_no_server_and_blames_no_key_that_only_the_workers_have(
    client: Client, server: FakeServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setenv("TINY_KEY", SECRET)
    assert post(client, "server", url=server.base, model=MODEL, key_name="TINY_KEY").status_code == 302
    monkeypatch.delenv("TINY_KEY")
    with serving(Mail, fault="", heard=heard) as port:
        settings.EMAIL_URL, settings.EMAIL_HOST = f"smtp://127.0.0.1:{port}", "127.0.0.1"
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_PORT = port
        asked = len(server.probes)
        page = client.get(PAGE).content.decode()
        assert (len(server.probes), heard) == (asked, [])
    listed = re.findall(r'data-check="([^"]+)"', page)
    assert not {"models", "e-mail"} & set(listed)
    path_in(settings.DATA_DIR).write_text(f'[a]\nsource = "{server.base}#a"\nkey = "/nowhere"\n')
    assert "[a] key: /nowhere: No such file" in client.get(PAGE).content.decode()


def shown(client: Client, language: str = "en") -> tuple[str, str]:
    found = client.get(f"{PAGE}state/", headers={"Accept-Language": language}).json()
    return found["kind"], f"{found['words']} {found['detail']}".strip()


def test_the_state_of_the_model_is_the_real_one(client: Client, settings: Any) -> None:
    kind, words = shown(client)
    assert (kind, words.startswith("`manage.py up` does not run here")) == ("problem", True)

    def up_says(step: Step, problem: str = "") -> None:
        workers = {"new": WorkerState(step, 0.0, problem)}
        state.publish(settings.RUN_DIR, ServiceState("new", workers))

    settings.RUN_DIR.mkdir(exist_ok=True)
    up_says(Step.STARTED)
    assert shown(client) == ("starting", "Its worker is starting.")
    up_says(Step.REFUSED, "model: no model at /nowhere")
    assert shown(client) == ("problem", "It cannot be served. model: no model at /nowhere")
    why = english(
        "model: %(why)s", why=english("no %(wanted)s in %(folder)s", wanted="config.json", folder="/m")
    )
    up_says(Step.REFUSED, why)
    assert shown(client, "fr")[1].endswith(" modèle : pas de config.json dans /m")
    page = client.get("/admin/engine/", headers={"Accept-Language": "fr"}).content.decode()
    assert "data-problem>[new] modèle : pas de config.json dans /m<" in page
    up_says(Step.RESTARTING, "it died")
    assert shown(client) == ("problem", "Its worker ended and starts again. it died")
