"""Checks the tables of extensions: whether what installed packages offer can be used."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from chat.moderation.rules import RULES
from chat.search.backends import BACKENDS
from chat.sharing.policies import POLICIES
from chat.tools.registry import TOOLS
from chat.transfer.formats import FORMATS
from grokweb.doctor.results import CheckResult, ok, warning
from inference.base.registry import Registry
from inference.engines import ENGINES

TABLES: tuple[Registry[Any], ...] = (ENGINES, RULES, POLICIES, FORMATS, BACKENDS, TOOLS)


def tables() -> CheckResult:
    if found := [each for table in TABLES for each in table.problems()]:
        return warning("; ".join(found))
    added = [name for table in TABLES for name in table if name not in table.table]
    return ok(", ".join(added) or _("only those that come with GrokWeb"))
