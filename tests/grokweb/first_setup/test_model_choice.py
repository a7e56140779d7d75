"""A model is found, tried out and chosen on the setup page."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from chat.core.models import StaffAction
from grokweb.first_setup import servers
from inference.base.model_list.entries import path_in, read
from tests.grokweb.first_setup.page_client import PAGE, SECRET, line, post
from tests.inference.servers.fake_server import MODEL, FakeServer


def test_the_search_finds_servers_on_the_usual_ports_and_begins_with_the_button(
    client: Client, server: FakeServer, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    server.models = {"data": [{"id": MODEL}, {"id": "<script>"}, {"id": "x" * 300}, "odd"]}
    with FakeServer(lambda call: call.ok(), models="nonsense") as odd:
        ports = {"Ollama": server.port, "llama.cpp": 1, "vLLM": settings.PORT, "LM Studio": odd.port}
        monkeypatch.setattr(servers, "PORTS", ports)
        assert "data-found" not in client.get(PAGE).content.decode()
        page = post(client, "search").content.decode()
    assert re.findall(r'data-found="([^"]*)"', page) == ["Ollama"]
    assert re.findall(r"<option>(.*?)</option>", page) == [MODEL, "&lt;script&gt;"]
    monkeypatch.setattr(servers, "PORTS", {"Ollama": 1})
    assert "No server answered on the usual ports." in post(client, "search").content.decode()
    assert server.calls == []


def test_a_trial_shows_the_answer_or_the_plain_reason_and_changes_nothing(
    client: Client, server: FakeServer, settings: Any
) -> None:
    about = {"url": server.base, "model": MODEL}
    page = post(client, "try", **about, key=SECRET)
    assert page.status_code == 200
    assert "“Hello there”" in page.content.decode()
    assert SECRET not in page.content.decode()
    answer = client.post(
        PAGE, {"step": "try", **about, "key": SECRET}, headers={"accept": "application/json"}
    )
    assert answer.json()["ok"] is True
    refused = post(client, "try", **about, key="wrong")
    assert (refused.status_code, line(refused)) == (400, "The server refuses the key.")
    refused = client.post(PAGE, {"step": "try", "url": "http://127.0.0.1:1", "model": "x"},
                          headers={"accept": "application/json"})  # fmt: skip
    assert (refused.status_code, refused.json()["ok"]) == (200, False)
    assert refused.json()["words"].startswith("There is no connection to the server")
    assert not path_in(settings.DATA_DIR).exists()


def test_a_server_becomes_the_model_of_new_chats_with_its_key_in_a_private_file(
    client: Client, server: FakeServer, settings: Any
) -> None:
    answer = post(client, "server", url=server.base, model=MODEL, key=SECRET)
    assert (answer.status_code, answer["Location"]) == (302, f"{PAGE}#model")
    found = read(settings.DATA_DIR)
    assert found.default == MODEL
    assert found.entries[MODEL].source == f"{server.base}#{MODEL}"
    key = Path(found.entries[MODEL].key)
    assert key.read_text().strip() == SECRET
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert SECRET not in path_in(settings.DATA_DIR).read_text() + client.get(PAGE).content.decode()
    row = StaffAction.objects.get(verb="choose model")
    assert (row.target, row.detail["key"]) == (f"model:{MODEL}", "in a file")
    assert post(client, "server", url=server.base, model=MODEL).status_code == 302  # the default, once more
    assert list(read(settings.DATA_DIR).entries) == [MODEL]


def test_a_model_that_two_servers_have_is_numbered_the_second_time(
    client: Client, server: FakeServer, settings: Any
) -> None:
    with FakeServer(lambda call: call.ok("hi")) as second:
        for base in (server.base, second.base):
            assert post(client, "server", url=base, model=MODEL, key=SECRET).status_code == 302
        found = read(settings.DATA_DIR)
        assert (list(found.entries), found.default) == ([MODEL, f"{MODEL}-2"], f"{MODEL}-2")
        assert found.entries[f"{MODEL}-2"].source == f"{second.base}#{MODEL}"


def test_a_model_by_name_is_added_and_its_size_and_memory_are_shown(client: Client, settings: Any) -> None:
    page = client.get(PAGE).content.decode()
    assert "ibm-granite/granite-3.1-1b-a400m-instruct" in page
    assert "download 2.7 GB · memory 4.6 GB" in page
    assert post(client, "name", recommended="Qwen/Qwen3-8B").status_code == 302
    assert read(settings.DATA_DIR).entries["qwen3-8b"].source == "hf:Qwen/Qwen3-8B"
    assert read(settings.DATA_DIR).default == "qwen3-8b"


def test_questions_of_one_person_to_servers_are_limited(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "PORTS", {})
    monkeypatch.setattr("grokweb.first_setup.steps.TRIES", 1)
    monkeypatch.setattr("grokweb.first_setup.steps.WINDOW", 10**6)
    assert post(client, "search").status_code == 200
    for step in ("search", "try", "server", "mail"):
        assert post(client, step).status_code == 429
