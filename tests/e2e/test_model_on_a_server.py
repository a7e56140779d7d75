"""A model on an OpenAI-compatible server, added while the service runs: it answers, is gone, and is back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.e2e.chat import Chat
from tests.e2e.people import Person
from tests.grokweb.service import ROOT, Service
from tests.inference.servers.fake_server import MODEL, Call, FakeServer

SLUG = "far-away"
FORGOTTEN = f"""
from chat.conversations.models import Conversation
from chat.model_cards.models import ModelCard
Conversation.objects.filter(model="{SLUG}").update(model="scripted")
ModelCard.objects.filter(slug="{SLUG}").delete()
"""


def answer(call: Call) -> None:
    call.ok("Twelve ", "**moons**", ".")


def manage(service: Service, *arguments: str) -> None:
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, cwd=ROOT, env=service.environment, capture_output=True, check=True)


@pytest.fixture
def server(service: Service) -> Iterator[FakeServer]:
    """Yields the server of a model that this service serves for the time of the test."""
    with FakeServer(answer) as running:
        manage(service, "models", "add", f"{running.base}#{MODEL}", "--slug", SLUG)
        yield running
    manage(service, "models", "remove", SLUG)
    manage(service, "shell", "--no-imports", "-c", FORGOTTEN)


def choose(chat: Chat) -> None:
    """Chooses the model of the server once its worker has announced it."""
    chat.page.wait_for_function(
        "async (slug) => (await (await fetch('/api/models')).json()).models"
        ".some((model) => model.slug === slug && model.running && !model.problem)",
        arg=SLUG,
    )
    chat.page.reload()
    chat.page.locator("[data-model]").click()
    chat.page.get_by_role("menuitemradio", name=MODEL).click()


def test_it_answers_says_that_its_server_is_gone_and_answers_when_that_is_back(
    service: Service, server: FakeServer, person: Person, open_chat: Callable[..., Chat]
) -> None:
    chat = open_chat(person)
    choose(chat)
    chat.ask("How many moons?").wait_for_end()
    expect(chat.answer).to_have_text("Twelve moons.")
    expect(chat.answer.locator("strong")).to_have_text("moons")

    server.__exit__()
    chat.ask("Are you there?").wait_for_end()
    expect(chat.answers.last).to_contain_text("The model's server does not answer. Please try again later.")
    chat.page.locator("[data-model]").click()
    expect(chat.page.get_by_role("menuitemradio", name=MODEL)).to_contain_text("its server does not answer")
    chat.page.keyboard.press("Escape")

    chat.ask("And now?")  # it waits
    with FakeServer(answer, port=server.port):
        chat.wait_for_end()
        expect(chat.answer).to_have_text("Twelve moons.")
