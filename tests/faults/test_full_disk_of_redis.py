"""An operator's own Redis, which nobody here configures, refuses every write while its disk is full."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from grokweb.redis_server import EmbeddedRedis
from tests.faults.client import Crowd, wait_for
from tests.faults.drill import PATIENCE, SCRIPT
from tests.faults.people import invite
from tests.faults.rows import LIVE, Rows
from tests.faults.running import ENVIRONMENT, PEOPLE
from tests.faults.small_disk import SmallDisk
from tests.grokweb.service import Service, is_running

pytestmark = [pytest.mark.faults_sqlite, pytest.mark.slow_drill]


@dataclass
class Site:
    service: Service
    disk: SmallDisk
    cookies: list[str]

    @property
    def rows(self) -> Rows:
        return Rows(f"sqlite:///{self.service.data / 'grokweb.sqlite3'}")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("own-redis")
    disk = SmallDisk(folder / "redis", 64)
    server = EmbeddedRedis(disk.folder).start()
    service = Service(folder, **ENVIRONMENT, REDIS_URL=server.url)
    try:
        service.start().wait_until_ready()
        yield Site(service, disk, invite(PEOPLE, service.environment))
    finally:
        service.close()
        server.kill()
        disk.close()


@pytest.fixture
def crowd(site: Site) -> Iterator[Crowd]:
    people = Crowd(site.service.port, site.cookies)
    try:
        yield people.wait_until_connected()
    finally:
        people.close()


@pytest.mark.fault("an own Redis, disk full")
def test_replies_stand_still_and_go_on(site: Site, crowd: Crowd) -> None:
    before = site.service.pids()
    asked = crowd.ask(SCRIPT)
    wait_for(lambda: sum(reply.seq for reply in asked) > 100, "replies in the middle", PATIENCE)
    site.service.lines.clear()
    with site.disk.full():
        wait_for(lambda: site.service.said("MISCONF"), "a refusal", PATIENCE)
    # Celery tries again every few seconds, up to half a minute.
    wait_for(lambda: all(reply.done for reply in asked), lambda: str(site.service.lines[-20:]), 2 * PATIENCE)
    for reply in asked:
        assert reply.is_whole()
        assert (reply.ends, reply.holes, reply.saw_each_once()) == (1, 0, True)
    wait_for(lambda: not site.rows.one(LIVE), "everything settled", 2 * PATIENCE)
    rows = site.rows.replies()
    assert {rows[reply.generation_id]["status"] for reply in asked} == {"complete"}
    assert {rows[reply.generation_id]["strikes"] for reply in asked} == {0}
    (late,) = crowd.ask(SCRIPT, slice(0, 1))
    wait_for(lambda: late.done, "the answer to a new question", PATIENCE)
    assert crowd.errors == []
    assert site.service.pids() == before
    assert all(map(is_running, before.values()))
