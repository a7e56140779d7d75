"""`manage.py rename_apps` renames applications and tables, forwards and back (grokweb/renamed_apps.py)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from grokweb import renamed_apps

# The newest migrations that the release before the renaming has: it finds the tables as these leave them.
LAST_BEFORE = {"personas": "0003_prompts", "account_deletion": "0001_departures"}


class Command(BaseCommand):
    help = (
        "Rename the applications and tables of an earlier release as this one calls them. `migrate`, "
        "`prepare` and `up` do this by themselves. --back undoes it, for a return to that release."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--back", action="store_true", help="give them the names of the earlier release")

    def handle(self, *args: Any, **options: Any) -> None:
        labels = renamed_apps.RENAMED
        if options["back"]:
            labels = renamed_apps.BACK
            check_is_migrated_back()
        try:
            renamed = renamed_apps.rename_apps(labels=labels)
        except renamed_apps.CannotRename as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Renamed: {', '.join(renamed)}" if renamed else "There is nothing to rename.")


def check_is_migrated_back() -> None:
    """Raises CommandError while tables have a form that only this release knows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations ORDER BY app, name")
        later = sorted(
            {app for app, name in cursor.fetchall() if app in LAST_BEFORE and name > LAST_BEFORE[app]}
        )
    if later:
        commands = ", ".join(f"`manage.py migrate {app} {LAST_BEFORE[app]}`" for app in later)
        raise CommandError(f"migrate back first: {commands}")
