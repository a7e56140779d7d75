"""`python -m tests.e2e.readme_pictures`: makes the README's pictures, docs/images/chat-{light,dark}.png.

A service with the demo model is started, and one person asks it a few questions, as after `make run`.
"""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from grokweb import install_steps
from tests import browser
from tests.e2e.browsing import MOVEMENTS_END, Windows, Witness
from tests.e2e.chat import Chat
from tests.e2e.people import invite
from tests.e2e.shots import with_service
from tests.grokweb.service import ROOT, Service

SIZE = (1200, 860)
PICTURES = ROOT / "docs" / "images"
EARLIER = ("Tell me a joke", "Write a short poem about the sea", "Comment exporter mes conversations ?")
SHOWN = (
    "What can you do?",
    "Can I share a conversation with a colleague?",
    "And how do I close that link again?",
)


def photograph(service: Service, folder: Path) -> None:
    _, person = invite(1, service.environment)
    origin = f"http://localhost:{service.port}"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.find(), args=browser.OPTIONS)
        windows = Windows(chromium, origin, Witness(origin))
        chat = Chat(windows.page(person, size=SIZE))
        for question in EARLIER:
            chat.new()
            chat.ask(question).wait_for_end()
        chat.new()
        for question in SHOWN:
            chat.ask(question).wait_for_end()
        expect(chat.page).to_have_url(re.compile("/c/"))
        address = chat.page.url
        for colours in ("light", "dark"):
            page = windows.page(person, address, size=SIZE, dark=colours == "dark")
            expect(page.locator(".message.assistant")).to_have_count(len(SHOWN))
            page.wait_for_load_state("networkidle")
            page.evaluate(MOVEMENTS_END)
            page.screenshot(path=folder / f"chat-{colours}.png")
        windows.close()
        chromium.close()


def main() -> None:
    install_steps.build_static()
    PICTURES.mkdir(exist_ok=True)
    model = ROOT / "inference" / "demo" / "model"
    with_service(
        lambda service: photograph(service, PICTURES),
        GROKWEB_MODEL=str(model),
        GROKWEB_TEST_ENGINES="0",
        GROKWEB_USER_RUNNING_LIMIT="2",
    )


if __name__ == "__main__":
    main()
