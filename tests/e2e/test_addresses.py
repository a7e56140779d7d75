"""The page at an address that the service does not know: it says so, and not that the connection is lost."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.e2e.browsing import Windows, Witness
from tests.e2e.chat import Chat
from tests.e2e.people import Person
from tests.grokweb.service import Service


def test_an_unknown_address_is_named(chromium: Browser, service: Service, person: Person) -> None:
    witness = Witness(f"http://127.0.0.1:{service.port}")  # GROKWEB_URLS of the service has localhost only
    windows = Windows(chromium, witness.origin, witness)
    try:
        chat = Chat(windows.page(person))
        chat.expect_notice(
            "Answers cannot reach this page: its address is not in GROKWEB_URLS. Open "
            f"http://localhost:{service.port} instead, or ask whoever runs this site to add this address."
        )
        chat.page.context.set_offline(True)
        chat.page.context.set_offline(False)
        chat.page.wait_for_timeout(
            2000
        )  # longer than the page waits before it reports a loss (OFFLINE_AFTER)
        expect(chat.page.get_by_text("The connection is lost")).to_have_count(0)
        assert witness.unexpected() == []
    finally:
        windows.close()
