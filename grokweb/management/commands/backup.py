"""`manage.py backup` writes the installation to one checked file (grokweb/backup/create.py)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from grokweb.backup import archive, create, last, places, scheduled
from grokweb.backup.archive import Manifest
from grokweb.backup.errors import BackupError
from grokweb.health import version
from grokweb.settings import backups

POLITENESS = 10  # of a scheduled backup: people's requests come first


class Command(BaseCommand):
    help = (
        "Write one file with the database, the attached files, the signing key, settings.toml and "
        "models.toml. "
        "The service may run meanwhile. The file is read again and checked before it gets its name. "
        "Keep it private: it holds everything."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "target",
            nargs="?",
            type=Path,
            default=Path(),
            metavar="TARGET",
            help="a new file, or a directory for it; default: grokweb-backup-<time>.zip here",
        )
        parser.add_argument("--force", action="store_true", help="replace TARGET if it exists")
        parser.add_argument(
            "--scheduled",
            action="store_true",
            help="make the one that the service makes by itself (GROKWEB_BACKUP_FOLDER), and remove old ones",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)
        if options["scheduled"] and options["target"] != Path():
            raise CommandError("--scheduled takes no TARGET: the folder is that of GROKWEB_BACKUP_FOLDER")
        try:
            if options["scheduled"]:
                os.nice(POLITENESS)
                target, manifest = scheduled.make(backups.plan())
            else:
                target, manifest = _made(options["target"], force=options["force"])
        except BackupError as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"the backup could not be written: {error}") from None
        held = archive.described(manifest)
        self.stdout.write(
            f"{target}: {held['rows']:,} rows and {held['files']:,} files, {held['bytes']:,} bytes before "
            f"compression; read again and checked"
        )
        for name in manifest.missing:
            self.stderr.write(f"missing before the backup: files/{name}")


def _made(target: Path, *, force: bool) -> tuple[Path, Manifest]:
    target, manifest = create.create(
        places.here(), target, key=settings.SECRET_KEY, version=version(), force=force
    )
    create.verify(target, manifest)
    last.note(settings.DATA_DIR)
    return target, manifest
