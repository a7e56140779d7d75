"""One service with the scripted engine for all of them; each test has people and windows of its own.

A test fails if any page it opened met an error in its console, a violation of the CSP, a request that failed
or left the site, or an answer of 500 and above.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from chat.push import keys
from grokweb.redis_server import free_port
from tests import installed_tools
from tests.e2e.browsing import PATIENCE, Windows, Witness, origin_of
from tests.e2e.chat import Chat
from tests.e2e.line import Line
from tests.e2e.people import Person, invite
from tests.e2e.second_model import ANNOUNCED, in_service
from tests.grokweb.service import ROOT, Service

PEOPLE = 400  # for each process: files are shared out by length, not by number of people
FAILED = pytest.StashKey[bool]()
ENVIRONMENT = {
    "GROKWEB_USER_LIVE_LIMIT": "3",
    # A model that is gone is missed after two leases. The timings agree as chat/turns/checks.py asks.
    "GROKWEB_LEASE_SECONDS": "2",
    "GROKWEB_RECONCILE_SECONDS": "1",
    "GROKWEB_RECONCILE_AGE_SECONDS": "2",
    "GROKWEB_PUSH_KEY": keys.generate(),
}


@pytest.fixture(scope="package")
def driver() -> Iterator[Playwright]:
    """Closed with the folder: Playwright's event loop would be in the way of tests with one of their own."""
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="package")
def chromium(driver: Playwright, browser_type_launch_args: dict[str, Any]) -> Iterator[Browser]:
    browser = driver.chromium.launch(**browser_type_launch_args)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def line_port() -> int:
    """Returns the port of a second address of the service, which its settings must name."""
    return free_port()


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory, line_port: int) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("e2e")
    running = Service(folder, **ENVIRONMENT, **installed_tools.environment(folder)).with_tables()
    ports = (running.port, line_port)
    running.environment["GROKWEB_URLS"] = ",".join(f"http://localhost:{port}" for port in ports)
    try:
        running.start().wait_until_ready()
        in_service(running, ANNOUNCED)
        yield running
    finally:
        running.close()


@pytest.fixture(scope="package")
def people(service: Service) -> Iterator[Person]:
    """Yields new people: each test takes as many as it needs, so that no test meets the data of another."""
    try:
        return iter(invite(PEOPLE, service.environment))
    except subprocess.CalledProcessError as error:
        raise AssertionError(error.stderr) from error


@pytest.fixture(scope="package")
def admin(people: Iterator[Person]) -> Person:
    return next(people)


@pytest.fixture
def person(admin: Person, people: Iterator[Person]) -> Person:
    return next(people)


@pytest.fixture
def other(admin: Person, people: Iterator[Person]) -> Person:
    return next(people)


@pytest.fixture
def witness(service: Service) -> Witness:
    return Witness(origin_of(service))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture
def windows(request: pytest.FixtureRequest, chromium: Browser, witness: Witness) -> Iterator[Windows]:
    """After a failure, pictures of what was open lie in build/e2e/."""
    opened = Windows(chromium, witness.origin, witness)
    yield opened
    if request.node.stash.get(FAILED, False):
        opened.photograph(ROOT / "build" / "e2e", request.node.name)
    opened.close()
    assert witness.unexpected() == []


@pytest.fixture
def line(service: Service, line_port: int) -> Iterator[Line]:
    made = Line(line_port, service.port)
    yield made
    made.close()


@pytest.fixture
def chat(windows: Windows, person: Person) -> Chat:
    """Returns a person's empty chat page."""
    return Chat(windows.page(person))


@pytest.fixture
def open_chat(windows: Windows) -> Callable[..., Chat]:
    return lambda person, path="/", **how: Chat(windows.page(person, path, **how))
