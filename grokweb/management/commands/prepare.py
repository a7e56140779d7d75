"""`manage.py prepare`: migrations and the first administrator; asks nothing, may run at any time."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from grokweb import prepared, settings


class Command(BaseCommand):
    help = "Migrate the database and make the first administrator if there is none."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
        call_command("migrate", interactive=False, verbosity=0)
        call_command("ensure_admin", stdout=self.stdout)
        prepared.remember()
