"""`manage.py doctor` prints one line for each check of the installation."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection
from django.utils import translation
from django.utils.translation import gettext as _

from grokweb.doctor import table
from grokweb.doctor.results import OK, PROBLEM, WARNING

CONNECT_SECONDS = 5


class Command(BaseCommand):
    help = "Check what the service depends on, and say what to do. Exit status 1 if there is a problem."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "checks", nargs="*", metavar="CHECK", help=f"only these: {', '.join(table.CHECKS)}"
        )
        parser.add_argument(
            "--language", choices=[code for code, _name in settings.LANGUAGES], default=_language()
        )

    def handle(self, *args: Any, **options: Any) -> None:
        unknown = [name for name in options["checks"] if name not in table.CHECKS]
        if unknown:
            sys.exit(f"no such check: {', '.join(unknown)}; there are: {', '.join(table.CHECKS)}")
        if connection.vendor == "postgresql":
            # A pool tries for ten seconds in each check, and does not say why the database refuses.
            connection.settings_dict["OPTIONS"].pop("pool", None)
            connection.settings_dict["OPTIONS"].setdefault("connect_timeout", CONNECT_SECONDS)
        with translation.override(options["language"]):
            levels = [self._line(name, found) for name, found in table.run(options["checks"])]
        sys.exit(1 if PROBLEM in levels else 0)

    def _line(self, name: str, found: Any) -> str:
        styles = {OK: self.style.SUCCESS, WARNING: self.style.WARNING, PROBLEM: self.style.ERROR}
        levels = {OK: _("ok"), WARNING: _("warning"), PROBLEM: _("problem")}
        level = levels[found.level].ljust(max(map(len, levels.values())))
        self.stdout.write(f"{styles[found.level](level)}  {name}: {found.words}")
        return str(found.level)


def _language() -> str:
    """Returns the terminal's language, if there is a translation."""
    locale = next(
        (os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), ""
    )
    code = locale.partition("_")[0].partition(".")[0].lower()
    return code if code in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
