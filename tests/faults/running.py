"""The service that most drills share: its settings, and a drill on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.client import Crowd
from tests.faults.drill import Drill
from tests.faults.rows import Rows
from tests.grokweb.service import Service

PEOPLE = 8


# Six of the eight run, two wait. The timings agree as chat/turns/checks.py asks.
ENVIRONMENT = {
    "GROKWEB_SLOTS": "6",
    "GROKWEB_LEASE_SECONDS": "1",
    "GROKWEB_RECONCILE_SECONDS": "0.5",
    "GROKWEB_RECONCILE_AGE_SECONDS": "1",
    "GROKWEB_REDIS_REST_SECONDS": "1.5",
    "GROKWEB_HANDOVER_SECONDS": "1",
    "GROKWEB_HANG_SECONDS": "2",
    "GROKWEB_HEALTHY_SECONDS": "1",
    "GROKWEB_DAILY_TOKENS": "100000000",
    "GROKWEB_CALL_LEASE_SECONDS": "5",
}


def running(
    service: Service, cookies: list[str], database_url: str, request: pytest.FixtureRequest
) -> Iterator[Drill]:
    """Everything is up and everybody has a tab; at the end the drill's times go to the table."""
    crowd = Crowd(service.port, cookies)
    prepared = Drill(service, Rows(database_url), crowd)
    try:
        prepared.wait_until_whole()
        crowd.wait_until_connected()
        yield prepared
        for blow in prepared.blows:
            request.node.user_properties.append(("waits", blow.waits()))
    finally:
        crowd.close()
