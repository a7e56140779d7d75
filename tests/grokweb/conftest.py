from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.grokweb.service import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yields one running service for a file of drills."""
    running = Service(tmp_path_factory.mktemp("service")).with_tables()
    try:
        yield running.start().wait_until_ready()
    finally:
        running.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Service]:
    """Yields a service that is not started yet."""
    made = Service(tmp_path).with_tables()
    try:
        yield made
    finally:
        made.close()
