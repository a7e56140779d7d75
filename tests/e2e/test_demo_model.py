"""The demo model answers right after installation."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browsing import Windows, Witness
from tests.e2e.chat import Chat
from tests.e2e.people import invite
from tests.grokweb.service import ROOT, Service


@pytest.fixture
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    model = str(ROOT / "inference" / "demo" / "model")
    folder = tmp_path_factory.mktemp("demo")
    running = Service(folder, GROKWEB_MODEL=model, GROKWEB_TEST_ENGINES="0").with_tables()
    try:
        yield running.start().wait_until_ready()
    finally:
        running.close()


@pytest.fixture
def windows(demo: Service, chromium: Browser) -> Iterator[Windows]:
    """Yields windows of a service that runs the demo model."""
    witness = Witness(f"http://localhost:{demo.port}")
    opened = Windows(chromium, witness.origin, witness)
    yield opened
    opened.close()


def test_the_page_says_that_the_model_is_a_demo(demo: Service, windows: Windows) -> None:
    admin, person = invite(1, demo.environment)
    boss = windows.page(admin)
    boss.get_by_text("Use a real one").click()
    expect(boss.get_by_text("GROKWEB_MODEL=/path/to/model make run")).to_be_visible()

    chat = Chat(windows.page(person))
    line = chat.page.get_by_text(re.compile("small demo model"))
    expect(line).to_be_visible()
    expect(chat.page.locator("body")).not_to_contain_text("GROKWEB_MODEL")  # nothing that she could do
    chat.ask("Who are you?").wait_for_end()
    expect(chat.answer).to_contain_text("demo", ignore_case=True)

    chat.page.locator("[data-demo]").get_by_role("button", name="Close").click()
    expect(line).to_be_hidden()
    chat.page.reload()
    expect(chat.answer).to_be_visible()
    expect(line).to_be_hidden()
    boss.reload()
    expect(boss.get_by_text("Use a real one")).to_be_visible()  # each person closes their own
