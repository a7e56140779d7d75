"""One service for all drills, with short timings; `make drills N=20` does each of them twenty times."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import installed_tools, migrated
from tests.faults.drill import Drill
from tests.faults.people import invite
from tests.faults.running import ENVIRONMENT, PEOPLE, running
from tests.faults.table import Table
from tests.grokweb.service import Service


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(name): its row in the table that ends `make drills`")
    config.addinivalue_line(
        "markers", "default_timings: a drill of more than a minute, in `make drills` only"
    )
    config.pluginmanager.register(Table(), "grokweb-drills")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    times = int(os.environ.get("N") or 1)  # grokweb/bootstrap.py refuses what is no number
    if times > 1:
        metafunc.fixturenames.append("_round")
        metafunc.parametrize("_round", range(1, times + 1))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The drills with the default timings take a minute each: `make drills` only."""
    if config.getoption("markexpr").startswith("faults"):
        return
    long = [item for item in items if item.get_closest_marker("default_timings")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Every report of a drill carries the name of its fault."""
    report = yield
    if marker := item.get_closest_marker("fault"):
        report.user_properties.append(("fault", marker.args[0]))
    return report


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from empty_database(tmp_path_factory)


@pytest.fixture(scope="module")
def own_database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """For a service beside the one that most drills share."""
    yield from empty_database(tmp_path_factory)


def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty database of the kind this run is on."""
    base = os.environ.get("DATABASE_URL", "")
    if not base.startswith("postgres"):
        yield f"sqlite:///{tmp_path_factory.mktemp('database') / 'drills.sqlite3'}"
        return
    import psycopg

    name = f"drills_{secrets.token_hex(6)}"
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield f"{base.rsplit('/', 1)[0]}/{name}"
    with psycopg.connect(base, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("drills")
    tools = installed_tools.environment(folder)
    if database_url.startswith("sqlite"):
        migrated.copy_sqlite(Path(database_url.removeprefix("sqlite:///")))  # shortens the first start
    running = Service(folder, DATABASE_URL=database_url, **ENVIRONMENT, **tools)
    try:
        yield running.start().wait_until_ready()
    finally:
        running.close()


@pytest.fixture(scope="session")
def cookies(service: Service) -> list[str]:
    return invite(PEOPLE, service.environment)


@pytest.fixture
def drill(
    service: Service, cookies: list[str], database_url: str, request: pytest.FixtureRequest
) -> Iterator[Drill]:
    yield from running(service, cookies, database_url, request)
