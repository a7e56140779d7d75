"""Provides people, a server for models, and a data directory that is empty again after each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from chat.model_cards.models import ModelCard
from grokweb.settings import changeable
from inference.base import settings_file
from inference.base.model_list import state
from inference.base.model_list.entries import path_in
from tests.chat.cast import Cast
from tests.grokweb.first_setup.page_client import SECRET
from tests.inference.servers.fake_server import Call, FakeServer, message


@pytest.fixture
def cast(db: None) -> Cast:
    ModelCard.objects.create(slug="scripted", name="Scripted", context_tokens=1024, is_default=True)
    return Cast()


@pytest.fixture(autouse=True)
def _clean(settings: Any) -> Iterator[None]:
    """Undoes what the page changes in the data directory and in the settings of the process."""
    for name, value in changeable.read().items():
        setattr(settings, name, value)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    yield
    for path in (settings_file.path_here(), path_in(settings.DATA_DIR)):
        path.unlink(missing_ok=True)
    for path in (settings.DATA_DIR / "keys").glob("*"):
        path.unlink()
    state.withdraw(settings.RUN_DIR)


@pytest.fixture
def client(cast: Cast) -> Client:
    return cast.client("staff")


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """Yields a server that says hello to whoever has the key."""

    def answer(call: Call) -> None:
        if call.headers.get("authorization") == f"Bearer {SECRET}":
            call.ok("Hello ", "there")
        else:
            call.send(message(401, {"error": SECRET}))

    with FakeServer(answer) as running:
        yield running
