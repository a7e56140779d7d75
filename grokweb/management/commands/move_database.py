"""`manage.py move_database` moves SQLite to PostgreSQL (grokweb/backup/move.py)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from grokweb.backup import move
from grokweb.backup.errors import BackupError


class Command(BaseCommand):
    help = (
        "Copy every row of the SQLite database to an empty PostgreSQL database, and compare both. "
        "The service must be stopped. The SQLite file is only read. "
        "Files and signing key stay where they are."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--to",
            required=True,
            metavar="URL",
            help="postgres://user:password@host/name of an empty database; the command creates its tables",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            moved = move.move(options["to"], report=self.stdout.write)
        except BackupError as error:
            raise CommandError(str(error)) from None
        for place, count in sorted(moved.replaced.items()):
            self.stderr.write(
                f"{place}: {count} values held characters that PostgreSQL cannot store (U+0000, lone "
                "surrogates); U+FFFD stands in their place"
            )
        self.stdout.write(
            f"Moved {moved.rows:,} rows of {moved.tables} tables; both databases hold the same. "
            "Set DATABASE_URL to the new address and start with: manage.py up"
        )
