from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.grokweb.backup.installation import Installation


@pytest.fixture
def home(tmp_path: Path, service_database_url: str) -> Iterator[Installation]:
    """Provides an installation that is not prepared yet, on the database of this run."""
    made = Installation(tmp_path, service_database_url)
    try:
        yield made
    finally:
        made.close()
