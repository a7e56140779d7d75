"""`manage.py prepare`: migrations, first administrator, the configured model. Asks nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from grokweb import prepared, settings
from inference.modelfiles import ModelUnusable, describe


class Command(BaseCommand):
    help = "Migrate the database, make the first administrator if there is none, name the configured model."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
        call_command("migrate", interactive=False, verbosity=0)
        call_command("ensure_admin", stdout=self.stdout)
        announce_configured_model()
        prepared.remember()


def announce_configured_model() -> None:
    """Stores the card of GROKWEB_MODEL before a worker announces it; without its files here, workers do."""
    from chat.conversations.model_cards import (
        announce_model,
    )  # needs the applications, which `up` does without

    if settings.MODEL == "scripted":
        return
    try:
        files = describe(Path(settings.MODEL))
    except ModelUnusable:
        return
    announce_model(
        slug=files.slug,
        name=files.name,
        about=files.about,
        context_tokens=files.context,
        is_demo=files.is_demo,
    )
