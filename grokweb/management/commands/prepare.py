"""`manage.py prepare` migrates, creates the first administrator and stores the configured model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from grokweb import prepare_stamp, settings
from grokweb.languages import compile_catalogues
from inference import settings as live
from inference.base import exit_status
from inference.base.registry import RegistryError
from inference.engines import engine_for


class Command(BaseCommand):
    help = (
        "Migrate the database, create the first administrator if there is none, store the configured model."
    )
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        check_tools()
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
        if settings.MORE_LANGUAGES:
            compile_catalogues(Path(settings.MORE_LANGUAGES))
        try:
            call_command("migrate", interactive=False, verbosity=0)
        except RegistryError as error:
            raise CommandError(
                f"GROKWEB_SEARCH={settings.SEARCH_BACKEND}: {error}", returncode=exit_status.SETTING_INVALID
            ) from None
        call_command("ensure_admin", stdout=self.stdout)
        announce_configured_model()
        prepare_stamp.remember()


def check_tools() -> None:
    """Refuses a tool that was asked for and cannot be used: nothing else would tell the operator."""
    from chat.tools.checks import problem_with_tool  # needs the applications, which `up` does without

    for name in settings.TOOLS:
        if problem := problem_with_tool(name):
            raise CommandError(f"GROKWEB_TOOLS: {problem}", returncode=exit_status.SETTING_INVALID)


def announce_configured_model() -> None:
    """Stores the card of GROKWEB_MODEL before a worker announces it; without its files here, workers do.

    An existing card keeps its context, because only the worker knows what fits its memory.
    """
    from chat.model_cards.services import (  # needs the applications, which `up` does without
        announce_model,
        announced_context,
    )

    try:
        engine, model = engine_for(settings.MODEL)
        about = engine.describe(model)
    except ValueError:  # ModelUnusable and RegistryError are: the worker says why in its one line
        return
    context = announced_context(about.slug) or engine.usable_context(model, live.CONTEXT)
    if not context:
        return  # only the running engine knows it
    announce_model(
        slug=about.slug,
        name=about.name,
        about=about.about,
        context_tokens=context,
        is_demo=about.is_demo,
        sampling=about.sampling,
        licence=about.licence,
    )
