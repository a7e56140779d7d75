"""`manage.py up` with several models: they come, go and fail while the others answer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.base import exit_status
from inference.base.lines import Line
from inference.base.model_list import editing, state
from tests.faults.client import Crowd, words
from tests.faults.people import invite
from tests.grokweb.service import ROOT, Service, eventually, kill

pytestmark = [pytest.mark.faults, pytest.mark.faults_sqlite]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(
        tmp_path_factory.mktemp("service"), GROKWEB_HANDOVER_SECONDS="1", GROKWEB_LEASE_SECONDS="1"
    )
    try:
        yield running.start().wait_until_ready()
    finally:
        running.close()


@pytest.fixture(scope="module")
def crowd(service: Service) -> Iterator[Crowd]:
    made = Crowd(service.port, invite(2, service.environment)).wait_until_connected()
    try:
        yield made
    finally:
        made.close()


def models(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "models", *arguments],
        cwd=ROOT, env=service.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def steps(service: Service) -> dict[str, str]:
    found = state.published(service.data / "run")
    return {slug: str(worker.step) for slug, worker in found.models.items()} if found else {}


def answers(crowd: Crowd, model: str) -> None:
    """Waits until a model answers: before its worker has announced it, there is no such model."""

    def asked() -> bool:
        [reply] = crowd.ask("echo:hello", slice(1), model=model)
        eventually(lambda: reply.done or crowd.errors, "an answer or an error")
        crowd.tabs[0].errors.clear()
        return reply.done is not None and reply.text == "hello"

    eventually(asked, f"{model} answers")


def test_a_model_is_added_and_removed_while_another_one_writes(service: Service, crowd: Crowd) -> None:
    worker = service.pid("model-worker")
    [reply] = crowd.ask("slow:400:30", slice(1))
    eventually(lambda: reply.seq > 5, "the beginning of a reply")

    done = models(service, "add", "scripted:prefix", "--slug", "second", "--slots", "1")
    assert (done.returncode, done.stderr) == (0, "")
    eventually(lambda: service.pid("model-worker.second"), "its worker starts")
    answers(crowd, "second")
    assert "second  scripted:prefix  its worker runs" in models(service, "list").stdout

    # One reply of it is being written, one waits: both end as after any lost worker, when it comes back.
    written, waits = crowd.ask("slow:200:40", model="second")
    eventually(lambda: max(written.seq, waits.seq) > 2, "its reply begins")
    editing.remove(service.data, "second")
    eventually(lambda: not service.pid("model-worker.second"), "its worker ends")
    eventually(lambda: steps(service) == {"scripted": "started"}, "only the first one runs")
    assert not (written.done and waits.done)
    done = models(service, "add", "scripted:prefix", "--slug", "second")
    assert done.returncode == 0
    eventually(lambda: written.done and waits.done, "the replies that waited for a worker")
    assert {written.text, waits.text} == {words(200)}

    eventually(lambda: reply.done, "the reply of the first model")
    assert (reply.text, reply.holes, reply.restarts) == (words(400), 0, 0)
    assert service.pid("model-worker") == worker
    assert models(service, "remove", "second").returncode == 0
    eventually(lambda: steps(service) == {"scripted": "started"}, "only the first one runs")


def test_a_model_put_back_during_its_hand_over_is_served_again(service: Service, crowd: Crowd) -> None:
    file = service.data / "models.toml"
    file.write_text(text := "[again]\nsource = 'scripted:prefix'\n")
    eventually(lambda: service.pid("model-worker.again"), "its worker starts")
    answers(crowd, "again")
    [reply] = crowd.ask("slow:300:40", slice(1), model="again")
    eventually(lambda: reply.seq > 2, "the beginning of a reply")
    file.write_text("")
    eventually(lambda: steps(service).get("again") != "started", "it hands over")
    file.write_text(text)
    eventually(lambda: reply.done, "the reply, from another worker")
    assert reply.text == words(300)
    file.unlink()
    eventually(lambda: steps(service) == {"scripted": "started"}, "only the first one runs")


def test_only_the_worker_of_a_changed_table_starts_again(service: Service) -> None:
    file = service.data / "models.toml"
    file.write_text("[one]\nsource = 'scripted'\n[two]\nsource = 'scripted'\n")
    eventually(lambda: service.pid("model-worker.one") and service.pid("model-worker.two"), "two workers")
    one, two = service.pid("model-worker.one"), service.pid("model-worker.two")
    file.write_text("[one]\nsource = 'scripted'\n[two]\nsource = 'scripted'\nslots = 2\n")
    eventually(lambda: service.pid("model-worker.two") not in {0, two}, "another worker")
    assert service.pid("model-worker.one") == one

    file.write_text("[one]\nsource = 'scripted'\n[two\n")
    eventually(lambda: service.said("the models run on as they are"), "the line is named")
    file.write_text("[one]\nsource = 'scripted'\nslots = 'many'\n[two]\nsource = 'scripted'\nslots = 2\n")
    eventually(lambda: service.said("models.toml: [one] slots: it must be a whole number"), "its field, too")
    assert service.pid("model-worker.one") == one
    file.unlink()
    eventually(lambda: steps(service) == {"scripted": "started"}, "both end with the file")


def test_a_model_that_cannot_be_served_ends_no_service_and_is_tried_again(
    service: Service, crowd: Crowd, tmp_path: Path
) -> None:
    file = service.data / "models.toml"
    file.write_text(
        f"[broken]\nsource = '{tmp_path}/nowhere'\n[keyless]\nsource = 'scripted'\nkey = 'NO_KEY'\n"
    )
    eventually(
        lambda: steps(service) == {"scripted": "started", "broken": "refused", "keyless": "refused"},
        "two refusals",
    )
    for line in (
        f"model-worker.broken: model: no model at {tmp_path}/nowhere",
        "model-worker.keyless: models.toml: [keyless] key: NO_KEY is not in the environment",
    ):
        eventually(lambda line=line: service.said(line), line)  # type: ignore[misc]
    told = state.published(service.data / "run")
    assert told is not None
    assert isinstance(told.models["broken"].problem, Line)  # pages translate it
    assert isinstance(told.models["keyless"].problem, Line)
    listed = models(service, "list").stdout
    assert "broken" in listed
    assert f"cannot be served: model: no model at {tmp_path}/nowhere" in listed
    checked = models(service, "check")
    assert checked.returncode == exit_status.SETTING_INVALID
    assert len(checked.stderr.splitlines()) == 2
    assert checked.stderr.startswith(f"models.toml: [broken] source: no model at {tmp_path}/nowhere")
    [reply] = crowd.ask("echo:still here", slice(1))
    eventually(lambda: reply.done, "the first model answers")
    assert reply.text == "still here"

    file.write_text("[broken]\nsource = 'scripted'\n")
    eventually(lambda: steps(service) == {"scripted": "started", "broken": "started"}, "it is tried again")
    checked = models(service, "check")
    assert (checked.returncode, checked.stderr) == (0, "")
    file.unlink()
    eventually(lambda: steps(service) == {"scripted": "started"}, "it ends with the file")


def test_a_killed_worker_of_the_file_is_started_again(service: Service) -> None:
    assert models(service, "add", "scripted", "--slug", "third").returncode == 0
    eventually(lambda: service.pid("model-worker.third"), "its worker")
    before = service.pid("model-worker.third")
    kill(before)
    eventually(lambda: service.pid("model-worker.third") not in {0, before}, "it is started again")
    assert models(service, "remove", "third").returncode == 0
    eventually(lambda: "third" not in steps(service), "it ends")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["add", "/nowhere/at/all", "--slug", "x"], "/nowhere/at/all"),
        (["add", "scripted"], "[scripted] GROKWEB_MODEL serves this model already: give another --slug"),
        (["add", "scripted", "--slug", "A B"], "slug: use a-z, 0-9 and single dashes"),
        (
            ["add", "scripted", "--slug", "x", "--slots", "0"],
            "slots: it must be a whole number from 1 to 256",
        ),
        (["add", "scripted", "--slug", "x", "--key", "sk-secret"], "key: it must be the NAME"),
        (["add", "scripted", "--slug", "x", "--key", "UNSET_KEY"], "UNSET_KEY is not in the environment"),
        (["remove", "gone"], "models.toml: there is no [gone]; the slugs are: none"),
        (["default", "gone"], "models.toml: there is no [gone] that can be used"),
    ],
)
def test_a_refused_command_says_why_in_one_line_and_adds_nothing(
    service: Service, arguments: list[str], says: str
) -> None:
    file = service.data / "models.toml"
    before = file.read_bytes() if file.exists() else None
    done = models(service, *arguments)
    assert done.returncode == exit_status.SETTING_INVALID
    [line] = done.stderr.splitlines()
    assert says in line
    assert "sk-secret" not in line
    assert (file.read_bytes() if file.exists() else None) == before


@pytest.fixture
def unconfigured(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    del made.environment["GROKWEB_MODEL"]
    made.data.mkdir(mode=0o700)
    try:
        yield made
    finally:
        made.close()


def test_the_first_model_added_to_a_fresh_service_gets_new_chats_and_the_demo_model_goes_on(
    unconfigured: Service,
) -> None:
    unconfigured.start().wait_until_ready()
    demo = unconfigured.pid("model-worker")
    done = models(unconfigured, "add", "scripted")
    assert (done.returncode, done.stderr) == (0, "")
    eventually(lambda: unconfigured.pid("model-worker.scripted"), "its worker")
    [cookie] = invite(1, unconfigured.environment)

    def listed() -> list[str]:
        status, answer = unconfigured.get("/api/models/", Cookie=cookie)
        assert status == 200
        return [model["slug"] for model in json.loads(answer)["models"]]

    eventually(lambda: len(listed()) == 2, "both are offered")
    assert listed()[0] == "scripted"
    assert unconfigured.pid("model-worker") == demo


def test_a_service_that_starts_with_models_of_the_file_serves_the_good_ones(unconfigured: Service) -> None:
    (unconfigured.data / "models.toml").write_text(
        "default = 'broken'\n[broken]\nsource = '/nowhere'\n[wrong]\nslots = 1\n[good]\nsource = 'scripted'\n"
    )
    unconfigured.start().wait_until_ready()
    assert unconfigured.said("models.toml: [wrong] source: it is missing")
    assert unconfigured.said("(broken cannot be served, see above;")
    assert unconfigured.pid("model-worker.good")
    assert not unconfigured.pid("model-worker")


@pytest.mark.parametrize("text", ["[one\n", "[wrong]\nslots = 1\n"])
def test_a_service_with_nothing_to_serve_does_not_start(unconfigured: Service, text: str) -> None:
    (unconfigured.data / "models.toml").write_text(text)
    assert unconfigured.start().ended() == exit_status.SETTING_INVALID
    eventually(lambda: unconfigured.lines, "a line", 5)
    [line] = unconfigured.lines
    assert line.startswith("GrokWeb cannot start: models.toml: ")
    assert unconfigured.pids() == {}
