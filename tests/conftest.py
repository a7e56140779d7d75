"""Gives tests a Redis that is emptied after each test, and counts results for tests/run.py.

Folders bring their own fixtures in a conftest.py of theirs.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
import redis
from django.conf import settings as django_settings
from django.db import connection
from django.db.backends.sqlite3.creation import DatabaseCreation
from django.test import TransactionTestCase
from django.utils import translation

from grokweb import install_steps
from tests import browser, emptying, event_loop, migrated, on_postgresql, settings, unit

HERE = Path(__file__).parent
# Without the mark `django_db` or one of these a test reaches no database: pytest-django refuses queries, and
# a service that a test starts (tests/grokweb/service.py) uses SQLite.
DATABASE_FIXTURES = {
    "db",
    "transactional_db",
    "make_database",
    "service_database_url",
    "empty_database_url",
    "database_url",
    "own_database_url",
}
hypothesis.settings.register_profile("grokweb", deadline=None, print_blob=True)
hypothesis.settings.load_profile("grokweb")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "faults_sqlite: a fault drill that does not depend on the database")
    config.addinivalue_line("markers", "untimed: a drill that measures no waits: it may run beside others")
    config.addinivalue_line("markers", "slow_drill: a drill of ten seconds or more; on SQLite only")
    asyncio.set_event_loop_policy(event_loop.Policy())  # pytest-asyncio and asgiref make their loops with it
    config.pluginmanager.register(Results(), "grokweb-results")
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(Longest(), "grokweb-longest")
    else:
        install_steps.build_static()  # the services that tests start serve what was collected


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks tests by their folder and by their use of a database; skips browser tests without a browser."""
    for item in items:
        if item.get_closest_marker("django_db") or DATABASE_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("database")
        folder = folder_of(item)
        if folder in {"e2e", "faults"}:
            item.add_marker(folder)
        if folder == "faults" and not item.get_closest_marker("untimed"):
            item.add_marker("timed")
        if item.get_closest_marker("e2e") and browser.find() is None:
            item.add_marker(pytest.mark.skip(reason=browser.MISSING))
    on_postgresql.mark(items)
    unit.mark(items)


class Longest:
    """Puts files of long tests first, so that the short tests at the end keep both processes busy."""

    FIRST = ("e2e", "grokweb", "inference")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        rank = {folder: number for number, folder in enumerate(self.FIRST)}
        items.sort(key=lambda item: rank.get(folder_of(item), len(rank)))


def folder_of(item: pytest.Item) -> str:
    return item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""


class Results:
    """Counts results for the summary line. A test counts once, by the worst result of its phases."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}
        self.browser: set[str] = set()
        self.broken = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome == "failed":
            self.outcomes[report.nodeid] = "failed"
        elif report.outcome == "skipped" or report.when == "call":
            self.outcomes.setdefault(report.nodeid, report.outcome)
        if "e2e" in report.keywords:
            self.browser.add(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.broken += report.outcome == "failed"

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        path = os.environ.get("GROKWEB_TEST_COUNTS")
        if not path or hasattr(session.config, "workerinput"):
            return
        counts = Counter(self.outcomes.values())
        ran = sum(1 for name in self.browser if self.outcomes.get(name) != "skipped")
        words = {**counts, "failed": counts["failed"] + self.broken, "browser": ran}
        Path(path).write_text(json.dumps(words))


@pytest.fixture(scope="session", autouse=True)
def _redis_server() -> Iterator[None]:
    settings.REDIS.start()
    yield
    settings.REDIS.kill()


@pytest.fixture(scope="session")
def _redis_connection(_redis_server: None) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.REDIS.url, decode_responses=True) as client:
        yield client


@pytest.fixture(autouse=True)
def _empty_redis(_redis_connection: redis.Redis) -> Iterator[None]:
    yield
    _redis_connection.flushall()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> Iterator[None]:
    """Works as pytest-django's, but the database that it then makes is a copy of a migrated one."""
    with pytest.MonkeyPatch.context() as patch:
        if connection.vendor == "postgresql":
            test: dict[str, Any] = django_settings.DATABASES["default"].setdefault("TEST", {})
            patch.setitem(test, "TEMPLATE", migrated.template(os.environ["DATABASE_URL"]))
        else:
            create = DatabaseCreation._create_test_db  # type: ignore[attr-defined]

            def copy(self: Any, *arguments: Any, **options: Any) -> str:
                name: str = create(self, *arguments, **options)
                migrated.copy_sqlite(Path(name))
                return name

            patch.setattr(DatabaseCreation, "_create_test_db", copy)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Works as pytest-django's, but empties tables faster after a test with real transactions; and a thread
    that outlives its test does not block dropping the database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", emptying.after_test)
        yield
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            connection.close()


@pytest.fixture
def redis_client(_redis_connection: redis.Redis) -> redis.Redis:
    """Provides the test's Redis, decoding to str."""
    return _redis_connection


@pytest.fixture
def make_database(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Makes empty databases for services that the test starts, of the kind this run is on; returns a URL.

    With `tables=True` they have today's tables.
    """
    base = os.environ.get("DATABASE_URL", "")
    names: list[str] = []

    def make(tables: bool = False) -> str:
        names.append(f"service_{secrets.token_hex(6)}")
        if not base.startswith("postgres"):
            file = tmp_path / f"{names[-1]}.sqlite3"
            if tables:
                migrated.copy_sqlite(file)
            return f"sqlite:///{file}"
        template = f' TEMPLATE "{migrated.template(base)}"' if tables else ""
        with psycopg.connect(base, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{names[-1]}"{template}')
        return f"{base.rsplit('/', 1)[0]}/{names[-1]}"

    yield make
    if base.startswith("postgres"):
        with psycopg.connect(base, autocommit=True) as connection:
            for name in names:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def service_database_url(make_database: Callable[..., str]) -> str:
    """Provides the URL of a database with tables and without rows, for a service that the test starts."""
    return make_database(tables=True)


@pytest.fixture
def empty_database_url(make_database: Callable[..., str]) -> str:
    """Provides the URL of a database without tables."""
    return make_database()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, object]) -> dict[str, object]:
    """Returns options for the system's chromium."""
    return {**browser_type_launch_args, "executable_path": browser.find(), "args": browser.OPTIONS}


@pytest.fixture(autouse=True)
def the_sites_language() -> None:
    """Resets the language, which a request leaves in its thread."""
    translation.deactivate()
