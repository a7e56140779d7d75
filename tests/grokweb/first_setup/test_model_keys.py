"""A key goes only to the server that it is for, and to a private file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from chat.core.models import StaffAction
from grokweb import model_check
from grokweb.first_setup import servers
from inference.base.model_list.entries import path_in, read
from tests.grokweb.first_setup.page_client import SECRET, line, post, verbs
from tests.inference.servers.fake_server import MODEL, Call, FakeServer, message


def only_key() -> str:
    """Returns the content of the one key file that there is, which the one table names."""
    [entry] = read(django_settings.DATA_DIR).entries.values()
    [file] = (django_settings.DATA_DIR / "keys").iterdir()
    assert entry.key == str(file)
    return file.read_text().strip()


def test_a_second_click_leaves_the_key_that_the_first_one_stored(
    client: Client, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = {"url": server.base, "model": MODEL, "key": SECRET}
    ask = model_check.ask_entry
    first: list[int] = []

    def ask_while_the_first_click_is_carried_out(*given: Any) -> Any:
        if not first:
            first.append(0)
            first[0] = post(client, "server", **about).status_code
        return ask(*given)

    monkeypatch.setattr(model_check, "ask_entry", ask_while_the_first_click_is_carried_out)
    assert post(client, "server", **about).status_code == 302
    assert first == [302]
    assert only_key() == SECRET


def test_a_key_entered_here_is_replaced_once_the_server_accepts_another(client: Client) -> None:
    def answer(call: Call) -> None:
        if call.headers.get("authorization") == f"Bearer {SECRET}":
            call.ok("Hello")
        else:
            call.send(message(401, {"error": "no"}))

    with FakeServer(answer) as server:
        about = {"url": server.base, "model": MODEL}
        port = server.port
    assert post(client, "server", **about, key="mistyped").status_code == 302  # the server is silent
    assert line(post(client, "server", **about, key=SECRET)).startswith("The server does not answer")
    assert only_key() == "mistyped"
    with FakeServer(answer, probe=answer, port=port):
        assert post(client, "server", **about, key="wrong").status_code == 400
        assert only_key() == "mistyped"
        assert post(client, "server", **about, key=SECRET).status_code == 302
    assert only_key() == SECRET


def test_a_key_that_was_not_entered_here_stays_and_a_lost_one_can_be_entered(
    client: Client, server: FakeServer, settings: Any, tmp_path: Path
) -> None:
    file, about = tmp_path / "key", {"url": server.base, "model": MODEL}
    file.write_text(SECRET)
    table = f'[a]\n# its key\nkey = "{file}"\nsource = "{server.base}#{MODEL}"\n'
    path_in(settings.DATA_DIR).write_text(table)
    assert f"is there already, with the key in {file}" in line(post(client, "server", **about, key="new"))
    file.unlink()
    assert post(client, "server", **about, key="new").status_code == 302
    assert only_key() == "new"
    assert "# its key" in path_in(settings.DATA_DIR).read_text()


SETTINGS = [
    "GROKWEB_SECRET_KEY",
    "DATABASE_URL",
    "REDIS_URL",
    "EMAIL_URL",
    "GROKWEB_MODEL_KEY",
    "HF_TOKEN",
    "OTHER_KEY",
]


@pytest.mark.parametrize("step", ["try", "server"])
@pytest.mark.parametrize("name", ["{file}", "/nowhere", *SETTINGS])
def test_no_file_setting_or_key_of_another_server_is_sent_as_a_key(
    client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str, name: str
) -> None:
    """The words for a file are the same whether there is such a file or not."""
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    path_in(settings.DATA_DIR).write_text('[other]\nsource = "http://a.example#x"\nkey = "OTHER_KEY"\n')
    for each in SETTINGS:
        monkeypatch.setenv(each, SECRET)
    with FakeServer(lambda call: call.ok("hi")) as server:
        given = name.format(file=file)
        answer = post(client, step, url=server.base, model=MODEL, key_name=given)
    says = "is for something else" if name in SETTINGS else "A variable&#x27;s name has capital letters"
    assert says in line(answer)
    assert server.calls + server.probes == []
    assert list(read(settings.DATA_DIR).entries) == ["other"]


def test_a_variable_may_hold_the_key_of_two_models_of_one_server(
    client: Client, server: FakeServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.models = {"data": [{"id": MODEL}, {"id": "larger"}]}
    monkeypatch.setenv("TINY_KEY", SECRET)
    for model in (MODEL, "larger"):
        assert post(client, "server", url=server.base, model=model, key_name="TINY_KEY").status_code == 302
    assert {entry.key for entry in read(settings.DATA_DIR).entries.values()} == {"TINY_KEY"}


def test_a_server_is_on_record_before_it_gets_a_key(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def try_out(source: str, key: str) -> servers.Trial:
        seen.extend(verbs())
        return servers.Trial("hi", 0.1)

    monkeypatch.setattr(servers, "try_out", try_out)
    assert post(client, "try", url="http://127.0.0.1:1", model=MODEL, key=SECRET).status_code == 200
    assert seen == ["ask model server"]
    assert StaffAction.objects.get().detail == {"server": "127.0.0.1:1", "model": MODEL, "key": "entered"}
    assert post(client, "server", url="http://127.0.0.1:1", model="x", key=SECRET).status_code == 302
    assert verbs() == ["ask model server", "ask model server", "choose model"]
