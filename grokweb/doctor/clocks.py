"""Compares a server's clock with this machine's: replies, limits and the audit are dated by both."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.utils.translation import gettext as _

from grokweb.doctor.results import CheckResult, ok, problem, warning

NOTICED, WRONG = 2.0, 30.0  # seconds


def compare(ask: Callable[[], float]) -> CheckResult:
    before = time.time()
    there = ask()
    after = time.time()
    off = max(before - there, there - after, 0.0)
    if off < NOTICED:
        return ok(_("equal to this machine's clock"))
    words = _(
        "%(seconds)d s away from this machine's: set both by NTP (systemd-timesyncd, chrony), or times, "
        "limits and links that end are wrong"
    ) % {"seconds": off}
    return problem(words) if off > WRONG else warning(words)
