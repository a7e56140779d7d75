"""A real OpenAI-compatible server: `transformers serve`, with a tiny Mixture-of-Experts model."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.contract import Delta, Reason
from tests.inference.hf_folders import make_folder
from tests.inference.servers.driving import PATIENT, Driver, request

pytestmark = pytest.mark.engines
START_SECONDS = 120.0
SERVE = "import sys; from transformers.cli.transformers import main; sys.argv[0] = 'transformers'; main()"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Yields base URL and name of a model that a real server serves."""
    folder = make_folder(tmp_path_factory.mktemp("models") / "tiny")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", SERVE, "serve", str(folder), "--port", str(port), "--device", "cpu"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder.parent / "cache")}
    with Path(folder.parent / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_until_healthy(server, port, folder.parent / "log")
        yield f"http://127.0.0.1:{port}/v1", str(folder)
    finally:
        server.kill()
        server.wait()


def wait_until_healthy(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                return
        except (OSError, urllib.error.HTTPError):
            time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture
def driver(served: tuple[str, str]) -> Iterator[Driver]:
    base, model = served
    with Driver(base, model=model, timeouts=PATIENT, context=0) as running:
        running.wait_until(lambda: running.replica(0).probed)
        yield running


def test_a_reply_arrives_with_the_usage_of_the_server(driver: Driver) -> None:
    text, end = driver.ask(request("Tell me something", max_new_tokens=24))
    assert text
    assert end.reason is Reason.LENGTH
    assert end.prompt_tokens > 10
    again, _ = driver.ask(request("Tell me something", max_new_tokens=24, generation_id="g2"))
    assert again == text  # the seed reaches the server


def test_the_trial_finds_that_it_refuses_extensions_and_cannot_continue(driver: Driver) -> None:
    accepted = driver.replica(0).accepted
    assert (accepted.fields, accepted.prefix, accepted.usage) == (frozenset(), "", True)


def test_several_replies_run_at_once_and_one_can_be_stopped(driver: Driver) -> None:
    for number in range(3):
        driver.engine.submit(request(f"Story {number}", generation_id=f"s{number}", max_new_tokens=60), ())
    driver.wait_for("s1", lambda events: any(isinstance(each, Delta) for each in events))
    driver.engine.cancel("s1")
    assert driver.result("s1")[1].reason is Reason.STOPPED
    for name in ("s0", "s2"):
        text, end = driver.result(name)
        assert (bool(text), end.error) == (True, "")


def test_a_prompt_beyond_the_context_is_shortened_or_ends_plainly(driver: Driver) -> None:
    turns = tuple(
        {"role": role, "content": "word " * 30} for _ in range(40) for role in ("user", "assistant")
    )
    _, end = driver.ask(request(messages=(*turns, {"role": "user", "content": "And now?"}), max_new_tokens=8))
    assert end.reason is Reason.LENGTH
    assert end.prompt_tokens > 100
