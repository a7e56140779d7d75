"""Checks the tables of extensions: what installed packages offer, and whether a configured one exists."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from chat.moderation.rules import RULES
from chat.search.backends import BACKENDS
from chat.sharing.policies import POLICIES
from chat.transfer.formats import FORMATS
from grokweb.doctor.results import CheckResult, ok, problem, warning
from inference.base.registry import Registry
from inference.engines import ENGINES

TABLES: tuple[Registry[Any], ...] = (ENGINES, RULES, POLICIES, FORMATS, BACKENDS)


def tables() -> CheckResult:
    if settings.SEARCH_BACKEND and settings.SEARCH_BACKEND not in BACKENDS:
        words = _("GROKWEB_SEARCH names no search back end; there are: %(names)s")
        return problem(words % {"names": ", ".join(BACKENDS)})
    if found := [each for table in TABLES for each in table.problems()]:
        return warning("; ".join(found))
    added = [name for table in TABLES for name in table if name not in table.table]
    return ok(", ".join(added) or _("only those that come with GrokWeb"))
