"""The disks of a running service fill up, or can no longer be written to, and are free again."""

from __future__ import annotations

import json
import os
import random
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.client import Reply
from tests.faults.drill import WORDS, Drill
from tests.faults.people import invite
from tests.faults.running import ENVIRONMENT, PEOPLE, running
from tests.faults.small_disk import SmallDisk
from tests.grokweb.service import Service
from tests.protocol.reducer import Frame

pytestmark = [pytest.mark.faults_sqlite, pytest.mark.slow_drill]

# Logs are cut at 10 MB a process (grokweb/childlog.py), and each round uploads files: enough for many rounds.
DATA_MB, FILES_MB, LOGS_MB, TEMPORARY_MB = 64, 32, 128, 2
LOW_MB = 1


@dataclass
class Site:
    service: Service
    data: SmallDisk
    files: SmallDisk
    logs: SmallDisk
    temporary: SmallDisk
    cookies: list[str]

    def failing(self) -> list[str]:
        """Returns the checks of /readyz that fail."""
        try:
            return list(json.loads(self.service.get("/readyz")[1]).get("failing", []))
        except ValueError:
            return ["no answer"]

    def upload(self, size: int) -> tuple[int, str]:
        """Status and, for an error, its code."""
        text = "A line of a file.\n" * (size // 18 + 1)
        body = (
            "--edge\r\nContent-Disposition: form-data; name=file; filename=a.txt\r\n"
            f"Content-Type: text/plain\r\n\r\n{text[:size]}\r\n--edge--\r\n"
        )
        token = "t" * 32
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.service.port}/api/files/",
            body.encode(),
            {
                "Content-Type": "multipart/form-data; boundary=edge",
                "Cookie": f"{self.cookies[0]}; grokweb_csrf={token}",
                "X-CSRFToken": token,
                "Origin": f"http://127.0.0.1:{self.service.port}",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, ""
        except urllib.error.HTTPError as error:
            with error:
                return error.code, str(json.loads(error.read())["error"]["code"])

    def stored_files(self) -> list[str]:
        return [
            path.name for path in self.files.folder.rglob("*") if path.is_file() and path != self.files.filler
        ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("small-disks")
    disks: list[SmallDisk] = []
    service = Service(
        folder, **ENVIRONMENT, GROKWEB_DISK_LOW_MB=str(LOW_MB), TMPDIR=str(folder / "temporary")
    )
    sizes = {"data": DATA_MB, "data/files": FILES_MB, "data/logs": LOGS_MB, "temporary": TEMPORARY_MB}
    try:
        for name, megabytes in sizes.items():
            disks.append(SmallDisk(folder / name, megabytes))
        service.start().wait_until_ready()
        data, files, logs, temporary = disks
        yield Site(service, data, files, logs, temporary, invite(PEOPLE, service.environment))
    finally:
        service.close()
        for disk in reversed(disks):
            disk.close()


@pytest.fixture
def drill(site: Site, request: pytest.FixtureRequest) -> Iterator[Drill]:
    yield from running(site.service, site.cookies, database_of(site), request)


def database_of(site: Site) -> str:
    return f"sqlite:///{site.data.folder / 'grokweb.sqlite3'}"


def at_a_random_moment(drill: Drill) -> list[Reply]:
    """Eight people have asked; their replies are anywhere between their first word and their end."""
    asked = drill.ask()
    drill.wait_until_acknowledged(asked)
    moment = random.randrange(PEOPLE * WORDS // 2)  # tokens of all together
    drill.wait(lambda: sum(reply.seq for reply in asked) >= moment, f"{moment} tokens")
    return asked


def refused(drill: Drill) -> Frame:
    """Somebody's question that cannot be stored; returns the error and takes it off the drill's books."""
    tab = drill.crowd.tabs[0]
    (question,) = drill.ask(who=slice(0, 1))
    drill.wait(lambda: tab.errors, "a refusal")
    tab.replies.remove(question)
    assert not question.message_id, "it was stored"
    return tab.errors.pop()


def a_new_question_is_answered(drill: Drill) -> None:
    (late,) = drill.ask(who=slice(0, 1))
    drill.wait(lambda: late.done or drill.crowd.errors, "the answer to a new question")
    drill.ended_well()


def wait_until_noticed(drill: Drill, site: Site, name: str) -> None:
    drill.wait(lambda: name in site.failing(), f"/readyz names {name}")


def wait_until_over(drill: Drill, site: Site) -> None:
    drill.wait(lambda: not site.failing(), f"/readyz is content: {site.failing()}")


@pytest.mark.fault("data disk full, then free")
def test_the_data_disk_fills_up_while_eight_are_answered(drill: Drill, site: Site) -> None:
    before = drill.service.pids()
    asked = at_a_random_moment(drill)
    with site.data.full():
        wait_until_noticed(drill, site, "disk:data")
        assert refused(drill)["code"] == "storage_full"
        # What is under way goes on in memory, to its end.
        drill.wait(
            lambda: all(reply.done for reply in asked), "every reply ends though nothing can be stored"
        )
        assert drill.service.get("/accounts/login/")[0] == 200
        status, sidebar = drill.service.get("/api/conversations/", Cookie=site.cookies[0])
        assert (status, "slow:" in sidebar) == (200, True), "what is stored can be read"
        assert refused(drill)["code"] == "storage_full"
    wait_until_over(drill, site)
    drill.ended_well()
    assert [drill.row(reply)["strikes"] for reply in asked] == [0] * PEOPLE
    a_new_question_is_answered(drill)
    assert drill.service.pids() == before, "a process died"


@pytest.mark.fault("Redis SIGKILL, data disk full")
def test_redis_dies_while_the_data_disk_is_full(drill: Drill, site: Site) -> None:
    asked = at_a_random_moment(drill)
    with site.data.full():
        wait_until_noticed(drill, site, "disk:data")
        drill.kill("redis")
        drill.wait(
            lambda: drill.service.pid("redis") or drill.service.said("redis was ended"), "Redis' end is told"
        )
    wait_until_over(drill, site)
    drill.wait_until_whole()
    drill.ended_well()
    assert all(drill.row(reply)["strikes"] < 2 for reply in asked)
    a_new_question_is_answered(drill)


@pytest.mark.fault("data disk read-only, Redis and web SIGKILL")
def test_the_data_disk_can_only_be_read(drill: Drill, site: Site) -> None:
    asked = at_a_random_moment(drill)
    with site.data.read_only():
        wait_until_noticed(drill, site, "disk:data")
        assert refused(drill)["code"] == "storage_full"
        os.kill(drill.service.pid("web"), 9)
        drill.kill("redis")
        drill.wait(lambda: drill.service.said("redis ended"), "Redis cannot start, and the terminal says so")
    drill.wait_until_whole()
    drill.ended_well()
    assert all(drill.row(reply)["strikes"] < 2 for reply in asked)
    a_new_question_is_answered(drill)


@pytest.mark.fault("files' disk full")
def test_the_disk_of_files_is_full(drill: Drill, site: Site) -> None:
    asked = drill.ask()
    drill.wait(lambda: site.upload(1000)[0] == 201, "an upload while there is room")
    kept = site.stored_files()
    with site.files.full():
        wait_until_noticed(drill, site, "disk:files")
        assert site.upload(1000) == (507, "storage_full")
        drill.ended_well()  # messages are stored elsewhere
    wait_until_over(drill, site)
    assert site.stored_files() == kept
    drill.wait(lambda: site.upload(1000)[0] == 201, "an upload once there is room")
    assert len(asked) == PEOPLE


@pytest.mark.fault("temporary files' disk full")
def test_the_disk_of_temporary_files_is_full(drill: Drill, site: Site) -> None:
    assert site.upload(200_000)[0] == 201  # from now on this is where the process has its temporary files
    kept = site.stored_files()
    with site.temporary.full():
        assert site.upload(200_000) == (507, "storage_full")  # as it arrives
        assert site.upload(1000)[0] == 201  # kept in memory
    assert site.upload(200_000)[0] == 201
    assert len(site.stored_files()) == len(kept) + 2
    drill.ask()
    drill.ended_well()


@pytest.mark.fault("logs' disk full")
def test_the_disk_of_logs_is_full(drill: Drill, site: Site) -> None:
    with site.logs.full():
        wait_until_noticed(drill, site, "disk:logs")
        asked = drill.ask()
        drill.ended_well()
        for _ in range(60):  # a line each: more than what is left of the file's last block
            drill.service.get("/nothing-here")
    wait_until_over(drill, site)
    drill.service.get("/nothing-here")
    drill.ask()
    drill.ended_well()
    log = site.logs.folder / "web.log"
    drill.wait(lambda: b"lines are missing in web.log" in log.read_bytes(), "the log says what is missing")
    assert len(asked) == PEOPLE


@pytest.mark.fault("start on a full disk")
def test_a_service_that_starts_on_a_full_disk_is_whole_once_there_is_room(drill: Drill, site: Site) -> None:
    process = drill.service.process
    assert process is not None
    process.terminate()
    drill.service.ended()
    drill.service.lines.clear()
    with site.data.full():
        drill.service.start()
        with site.data.refilled():  # a start sets some space free: it tidies up after the last run
            drill.service.wait_until_ready()
        site.data.fill()
        wait_until_noticed(drill, site, "disk:data")
    wait_until_over(drill, site)
    drill.wait_until_whole()
    drill.crowd.wait_until_connected()
    a_new_question_is_answered(drill)


def test_the_folders_are_disks_of_their_own(site: Site) -> None:
    devices = {Path(disk.folder).stat().st_dev for disk in (site.data, site.files, site.logs)}
    assert len(devices) == 3
