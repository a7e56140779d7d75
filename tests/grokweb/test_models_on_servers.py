"""`manage.py models add|check` with a model on a server: it is asked first, and nothing is half-added."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from inference.base import exit_status
from inference.base.model_list.entries import read
from tests.inference.servers.fake_server import MODEL, Call, FakeServer, message

KEY = "sk-never-shown"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.DATA_DIR, settings.RUN_DIR = tmp_path, tmp_path / "run"  # type: ignore[attr-defined]
    monkeypatch.setenv("SERVER_KEY", KEY)
    monkeypatch.delenv("GROKWEB_MODEL", raising=False)
    return tmp_path


def models(*arguments: str) -> str:
    out = StringIO()
    call_command("models", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def guarded(call: Call) -> None:
    """Answers only those who have the key."""
    if call.headers.get("authorization") == f"Bearer {KEY}":
        call.ok("yes")
    else:
        call.send(message(401, {}))


def test_a_server_that_answers_is_added_with_the_name_of_its_key(data: Path) -> None:
    with FakeServer(guarded, probe=guarded) as server:
        said = models("add", f"{server.base}#{MODEL}", "--key", "SERVER_KEY")
        assert models("check") == "models.toml: no problem; it names 2 models\n"  # and the demo model
    assert "[tiny] is added" in said
    assert "does not answer" not in said
    assert read(data).entries[MODEL].key == "SERVER_KEY"
    assert KEY not in (data / "models.toml").read_text()


@pytest.mark.parametrize(
    ("model", "key", "said"),
    [
        (MODEL, "", "models.toml: [tiny] source: the server wants a key"),
        (MODEL, "OTHER_KEY", "models.toml: [tiny] source: the server refuses the key"),
        (MODEL, "NO_KEY", "models.toml: [tiny] key: NO_KEY is not in the environment"),
        (
            "other",
            "SERVER_KEY",
            "models.toml: [other] source: the server does not offer 'other' (status",
        ),
    ],
)
def test_a_wrong_key_or_model_is_one_line_and_nothing_is_added(
    data: Path, monkeypatch: pytest.MonkeyPatch, model: str, key: str, said: str
) -> None:
    monkeypatch.setenv("OTHER_KEY", "sk-another")

    def strict(call: Call) -> None:
        if call.body["model"] == MODEL:
            guarded(call)
        else:
            call.send(message(404, {}))

    with FakeServer(strict, probe=strict) as server, pytest.raises(CommandError) as refused:
        models("add", f"{server.base}#{model}", *(("--key", key) if key else ()))
    assert refused.value.returncode == exit_status.SETTING_INVALID
    words = str(refused.value)
    assert said in words
    assert ("\n" in words, KEY in words, "sk-another" in words) == (False, False, False)
    assert not (data / "models.toml").exists()


def test_a_server_that_is_not_up_is_added_and_said_to_be_silent(data: Path) -> None:
    with FakeServer(guarded) as gone:
        base = gone.base
    said = models("add", f"{base}#{MODEL}")
    assert "Its server does not answer yet: questions wait until it does." in said
    assert MODEL in read(data).entries
