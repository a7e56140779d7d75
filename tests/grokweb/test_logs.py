"""What may not stand in the logs, as they are written."""

from __future__ import annotations

import io
import logging
import secrets

import pytest
from django.test import Client

from grokweb.childlog import read_line
from grokweb.logs import line_formatter

pytestmark = pytest.mark.django_db


def test_a_shared_link_is_masked(client: Client) -> None:
    """Refused requests are logged with their address, and who has this one has the page."""
    token = secrets.token_urlsafe(24)
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(line_formatter())
    logger = logging.getLogger("django.request")
    logger.addHandler(handler)
    try:
        client.get(f"/s/{token}/")
        client.get(f"/s/{token}/report/")
    finally:
        logger.removeHandler(handler)
    assert "/s/…/report/" in written.getvalue()
    assert token not in written.getvalue()


def record(**extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "grokweb.x", "levelname": "WARNING", "levelno": 30})
    made.msg = 'it said "no" twice'
    made.__dict__.update(extra)
    return made


@pytest.mark.parametrize("style", ["json", "logfmt"])
def test_the_supervisor_reads_both_kinds_of_line(style: str) -> None:
    line = line_formatter(style).format(record(generation="g-1", model="m"))
    assert "\n" not in line
    level, event = read_line(line)
    assert level == "warning"
    assert event.replace("\\", "") == 'it said "no" twice'


def test_a_line_of_keys_and_values() -> None:
    line = line_formatter("logfmt").format(record(generation="g-1", tokens=3))
    assert line.endswith(
        r'level=warning logger=grokweb.x event="it said \"no\" twice" generation=g-1 tokens=3'
    )
    assert line.startswith("timestamp=")
