"""`manage.py restore` replaces this installation by a backup (grokweb/backup/restore.py)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from grokweb.backup import places, restore
from grokweb.backup.errors import BackupError


class Command(BaseCommand):
    help = (
        "Replace this installation by a backup: database, attached files, signing key and settings. "
        "The service must be stopped. Everything is unpacked and checked first; until then nothing changes. "
        "What was here before is moved aside. "
        "Restore only backups that you trust: they decide who is an administrator."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", type=Path, metavar="SOURCE", help="a file that `manage.py backup` made")
        parser.add_argument(
            "--force", action="store_true", help="replace the existing installation, which is moved aside"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)
        here = places.here()
        try:
            done = restore.restore(here, options["source"], force=options["force"])
        except BackupError as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"the backup could not be restored: {error}") from None
        if done.recovered:
            self.stdout.write(done.recovered)
        self.stdout.write(
            f"Restored the backup of {done.manifest.created_at} (GrokWeb {done.manifest.app_version})."
        )
        if done.previous:
            self.stdout.write(f"What was here before is in {done.previous}; remove it when it is not needed.")
        if done.schema:
            self.stdout.write(f'The tables from before are in the schema "{done.schema}" of the database.')
        if os.environ.get("GROKWEB_SECRET_KEY") and here.key.read_text().strip() != settings.SECRET_KEY:
            self.stderr.write(
                "GROKWEB_SECRET_KEY differs from the backup's key: everybody must log in again. "
                f"The backup's key is in {here.key}."
            )
        self.stdout.write("Start with: manage.py up")
