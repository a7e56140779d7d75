"""A server is asked before its model is served: one line for what a person must correct, none for waiting."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from inference import settings
from inference.base import exit_status
from inference.engines import ask_model, load_engine
from inference.model_dir.headers import ModelUnusable
from tests.inference.servers.fake_server import MODEL, Call, FakeServer, head, message

ROOT = Path(__file__).parents[3]
KEY = "sk-never-shown"
PAGE = head(content_type="text/html; charset=utf-8") + b"<!doctype html><title>Welcome</title>"
MANY = {"data": [{"id": f"model-{number}"} for number in range(7)]}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MODEL_KEY", KEY)


def sends(raw: bytes) -> FakeServer:
    """Returns a server that answers the trial with these bytes."""
    return FakeServer(lambda call: None, probe=lambda call: call.send(raw))


def refusal(configured: str) -> str:
    with pytest.raises(ModelUnusable) as refused:
        load_engine(configured, slots=1, threads=1)
    words = str(refused.value)
    assert "\n" not in words
    assert KEY not in words
    return words


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (message(401, {}), "the server refuses the key: correct GROKWEB_MODEL_KEY, its file, or `key` in"),
        (message(403, {}), "(status 403)"),
        (message(302, {}, extra="Location: http://127.0.0.1:1/\r\n"), "redirects, which is not followed"),
        (message(422, {}), "refuses a short question (status 422): see its own log"),
    ],
)
def test_a_server_that_refuses_is_named_with_what_to_correct(raw: bytes, said: str) -> None:
    with sends(raw) as server:
        assert said in refusal(f"{server.base}#{MODEL}")


def test_a_server_that_wants_a_key_is_told_from_one_that_refuses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MODEL_KEY", "")
    with sends(message(401, {})) as server:
        words = refusal(f"{server.base}#{MODEL}")
    assert "wants a key: set GROKWEB_MODEL_KEY or GROKWEB_MODEL_KEY_FILE" in words


def test_an_unknown_model_is_named_beside_those_that_the_server_has() -> None:
    with FakeServer(lambda call: None, probe=lambda call: call.send(message(404, {})), models=MANY) as server:
        words = refusal(f"{server.base}#qwen3")
    assert "does not offer 'qwen3' (status 404)" in words
    assert words.endswith("model-0, model-1, model-2, model-3, model-4 and 2 more")


def test_a_model_that_is_not_listed_but_answers_is_served() -> None:
    with FakeServer(lambda call: None, models=MANY) as server:
        assert ask_model(f"{server.base}#latest").problems == ()


@pytest.mark.parametrize("raw", [PAGE, message(404, {}), message(405, {})])
def test_an_address_without_the_interface_is_refused_with_the_usual_path(raw: bytes) -> None:
    with sends(raw) as server:
        server.models = "no list"
        words = refusal(f"{server.base}/chat#{MODEL}" if raw != PAGE else f"{server.base}#{MODEL}")
    assert "check the address and its path, which usually is /v1" in words


def test_http_to_a_public_address_needs_a_setting() -> None:
    assert "write https://, or set GROKWEB_SERVER_PLAIN_HTTP=1" in refusal("http://8.8.8.8/v1#m")


def test_the_address_of_a_cloud_s_metadata_is_refused() -> None:
    assert "cannot be used: not allowed (the address serves a cloud's metadata)" in refusal(
        "http://169.254.169.254/v1#m"
    )


@pytest.mark.parametrize(
    "raw", [message(503, {}), message(500, {}), message(429, {}), b"", b"garbage\r\n\r\n"]
)
def test_a_server_in_trouble_is_waited_for(raw: bytes) -> None:
    with sends(raw) as server:
        asked = ask_model(f"{server.base}#{MODEL}")
    assert (asked.problems, asked.is_usable, asked.is_silent) == ((), True, False)


def test_a_server_that_is_not_up_is_waited_for() -> None:
    with FakeServer(lambda call: None) as gone:
        base = gone.base
    asked = ask_model(f"{base}#{MODEL}")
    assert (asked.problems, asked.is_usable, asked.is_silent) == ((), True, True)


def test_one_wrong_replica_is_told_and_the_other_serves() -> None:
    with sends(message(401, {})) as wrong, FakeServer(lambda call: None) as right:
        configured = f"{right.base},{wrong.base}#{MODEL}"
        asked = ask_model(configured)
        engine = load_engine(configured, slots=1, threads=1)
    assert [words.split(":")[0] for words in asked.problems] == ["server 2 refuses the key"]
    assert engine.name == MODEL


def test_the_trial_is_left_after_its_first_token() -> None:
    def endless(call: Call) -> None:
        call.send(head() + b'data: {"choices": [{"delta": {"content": "yes"}}]}\n\n')
        call.until_left()

    with FakeServer(lambda call: None, probe=endless) as server:
        assert ask_model(f"{server.base}#{MODEL}").problems == ()
        [trial] = server.probes
        assert trial.was_left.wait(60)
    assert trial.body["max_tokens"] == 1


def test_a_worker_ends_with_one_line_and_status_78() -> None:
    with sends(message(401, {})) as server:
        done = subprocess.run(
            [sys.executable, "-m", "inference.worker", "-Q", "model.tiny", "--concurrency", "1"],
            cwd=ROOT,
            env={"PATH": "", "GROKWEB_MODEL": f"{server.base}#{MODEL}", "GROKWEB_MODEL_KEY": KEY},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == exit_status.MODEL_UNUSABLE == 78
    said = done.stdout + done.stderr
    assert said.splitlines()[-1].startswith("model: the server refuses the key: correct ")
    assert server.base not in said
    assert KEY not in said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (None, "No such file or directory"),
        (b"", "is empty: write the key into it"),
        (b"\n", "is empty: write the key into it"),
        (b"\xff\xfe", "it is not text"),
        ("clé".encode(), "characters that cannot be sent"),
    ],
)
def test_a_file_without_a_usable_key_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bytes | None, said: str
) -> None:
    file = tmp_path / "key"
    if written is not None:
        file.write_bytes(written)
    monkeypatch.setattr(settings, "MODEL_KEY", "")
    monkeypatch.setattr(settings, "MODEL_KEY_FILE", str(file))
    assert said in refusal(f"http://127.0.0.1:1/v1#{MODEL}")


def test_a_key_is_read_from_its_file_without_the_line_break(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text("from-a-file\n")
    monkeypatch.setattr(settings, "MODEL_KEY_FILE", str(file))
    assert "not both" in refusal(f"http://127.0.0.1:1/v1#{MODEL}")
    monkeypatch.setattr(settings, "MODEL_KEY", "")
    with FakeServer(lambda call: None) as server:
        load_engine(f"{server.base}#{MODEL}", slots=1, threads=1)
    assert server.probes[0].headers["authorization"] == "Bearer from-a-file"
