"""Readers of a hostile shared conversation of 13 MB cost other people nothing they would notice."""

from __future__ import annotations

import http.client
import re
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.people import invite
from tests.faults.shared_conversation import share
from tests.grokweb.service import Service, eventually

pytestmark = pytest.mark.slow_drill
READERS = 40
ANSWER_CHARS = 38_000
TABLE = "|" + "a|" * 200 + "\n|" + "-|" * 200 + "\n"
HOSTILE = (TABLE + "|\n" * ANSWER_CHARS)[:ANSWER_CHARS]  # minutes of work and 11 MB of HTML, if one let it
LONG = ("A sentence with **strong** words and `code`. " * ANSWER_CHARS)[:ANSWER_CHARS]
PAGES = 340  # of 38,000 characters: 13 MB


class Site:
    """A service behind a proxy, so that readers come from addresses of their own."""

    def __init__(self, service: Service) -> None:
        self.service = service
        (self.other,) = invite(1, service.environment)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=120)

    def get(self, path: str, cookie: str = "", address: str = "") -> tuple[int, str]:
        headers = {"Cookie": cookie} if cookie else {}
        if address:
            headers["X-Forwarded-For"] = address
        connection = self.connect()
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def share(self, answers: list[str]) -> str:
        return share(answers, self.service.environment)

    def renders(self) -> float:
        _, text = self.get("/metrics")
        made = re.findall(
            r'^grokweb_shared_renders_total\{outcome="(?:made|typed|short)"\} (\S+)', text, re.M
        )
        return sum(map(float, made))

    def children(self) -> list[int]:
        """Processes of the web process that make pages."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if any(word.endswith(b"render_child.py") for word in words) and int(parent) == self.service.pid(
                "web"
            ):
                found.append(int(folder.name))
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, own_database_url: str) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("shared")
    service = Service(folder, DATABASE_URL=own_database_url, GROKWEB_BEHIND_PROXY="1")
    try:
        yield Site(service.start().wait_until_ready())
    finally:
        service.close()


@pytest.fixture(scope="module")
def hostile(site: Site) -> str:
    # No two pages alike: what one reader's page costs, the next one's costs again.
    return site.share([f"Answer {number}.\n\n{HOSTILE}" for number in range(PAGES)])


@pytest.fixture(autouse=True)
def quiet(site: Site) -> Iterator[None]:
    yield
    eventually(lambda: not site.children(), "every rendering ended", 60)


class Visitor:
    """Somebody else, who opens the chat page again and again."""

    def __init__(self, site: Site) -> None:
        self.times: list[float] = []
        self.statuses: set[int] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._visit, args=[site])

    def _visit(self, site: Site) -> None:
        while not self._end.is_set():
            started = time.monotonic()
            self.statuses.add(site.get("/", site.other)[0])
            self.times.append(time.monotonic() - started)
            self._end.wait(0.1)

    def __enter__(self) -> Visitor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


def address(number: int) -> str:
    return f"198.51.100.{number}"


@pytest.mark.fault("40 readers of a hostile shared page")
def test_forty_readers_of_hostile_pages_slow_nobody(site: Site, hostile: str) -> None:
    def read(number: int) -> tuple[int, str]:
        return site.get(f"{hostile}?page={number + 1}", address=address(number))

    with Visitor(site) as visitor, ThreadPoolExecutor(READERS) as pool:
        answers = list(pool.map(read, range(READERS)))
    assert {status for status, _ in answers} <= {200, 503}
    assert any(status == 200 for status, _ in answers)
    for number, (status, page) in enumerate(answers):
        if status == 200:
            assert f"Answer {number}." in page
            assert len(page) < 5_000_000
        else:
            assert "This page is being prepared" in page
    read_at_once = sum(status == 200 for status, _ in answers)
    print(
        f"others: median {statistics.median(visitor.times):.3f} s, longest {max(visitor.times):.3f} s;",
        end=" ",
    )
    print(f"{read_at_once} of {READERS} readers got their page within 20 s")
    assert visitor.statuses == {200}
    assert statistics.median(visitor.times) < 0.5
    assert max(visitor.times) < 5


@pytest.mark.fault("many readers of one shared page")
def test_a_page_is_made_once_for_all_who_wait(site: Site) -> None:
    path = site.share([f"One page for all. {LONG}"])
    before = site.renders()

    def read(number: int) -> tuple[int, str]:
        return site.get(path, address=address(number))

    with ThreadPoolExecutor(READERS) as pool:
        answers = list(pool.map(read, range(READERS)))
    assert {status for status, _ in answers} == {200}
    assert all("<strong>strong</strong>" in page for _, page in answers)
    assert site.renders() == before + 1


@pytest.mark.fault("a shared page's reader leaves")
def test_the_work_ends_when_its_last_reader_leaves(site: Site, hostile: str) -> None:
    before = site.renders()
    readers = []
    for number in range(3):
        reader = socket.create_connection(("127.0.0.1", site.service.port))
        reader.sendall(
            f"GET {hostile}?page={PAGES} HTTP/1.1\r\nHost: localhost\r\n"
            f"X-Forwarded-For: {address(number)}\r\n\r\n".encode()
        )
        readers.append(reader)
    eventually(lambda: site.children(), "the page is being made", 20)
    (child,) = site.children()
    for reader in readers[:-1]:
        reader.close()
    assert site.children() == [child]  # one still waits
    readers[-1].close()
    eventually(lambda: not site.children(), "the process that made it ended", 4)
    assert site.renders() == before


def test_a_reader_reaches_every_page(site: Site, hostile: str) -> None:
    status, last = site.get(f"{hostile}?page={PAGES}", address=address(200))
    while status == 503:  # others' pages come first
        status, last = site.get(f"{hostile}?page={PAGES}", address=address(200))
    assert status == 200
    assert f"Answer {PAGES - 1}." in last
    assert f'href="?page={PAGES - 1}"' in last
    assert site.get(f"{hostile}?page={PAGES + 1}", address=address(201))[0] == 404
