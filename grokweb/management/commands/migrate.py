"""`manage.py migrate` renames the labels of an earlier release, then migrates as Django does."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate

from grokweb import renamed_apps


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        database = options["database"]
        if options["plan"] or options["check_unapplied"]:
            if renamed_apps.has_old_labels(database):
                raise CommandError(
                    "this database is of a release that named its applications otherwise: "
                    "run `manage.py rename_apps` first"
                )
        else:
            try:
                renamed_apps.rename_apps(database)
            except renamed_apps.CannotRename as error:
                raise CommandError(str(error)) from None
        super().handle(*args, **options)
