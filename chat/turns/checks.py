"""Checks at start-up that timings agree (rule 15)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from inference import settings as live


@register()
def timings(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.REDIS_REST_SECONDS < live.LEASE_SECONDS:
        found.append(
            Error(
                "GROKWEB_REDIS_REST_SECONDS must be at least GROKWEB_LEASE_SECONDS: workers need the time to "
                "enter again what they hold.",
                id="grokweb.E001",
            )
        )
    if live.HANG_SECONDS < live.LEASE_SECONDS:
        found.append(Error("GROKWEB_HANG_SECONDS must be at least GROKWEB_LEASE_SECONDS.", id="grokweb.E002"))
    return found
