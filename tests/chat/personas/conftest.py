"""A worker and tabs, as for chat.turns; and the personas of the site, which other tests wipe out."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps

from chat.personas.models import Persona
from tests.chat.turns.conftest import *  # noqa: F403


@pytest.fixture(autouse=True)
def personas_of_the_site(transactional_db: Any) -> None:
    if not Persona.objects.exists():
        import_module("chat.personas.migrations.0002_personas_of_the_site").write(apps, None)
