"""What may not stand in the logs, as they are written."""

from __future__ import annotations

import io
import logging
import secrets

import pytest
from django.test import Client

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
