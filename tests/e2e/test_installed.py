"""With the network gone the browser shows a page of ours, and the real one as soon as it is back."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import axe
from tests.e2e.browsing import Windows, until
from tests.e2e.chat import Chat
from tests.e2e.people import Person

KEPT = """async () => {
  const names = await caches.keys();
  const requests = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
  return requests.flat().map(({ url }) => new URL(url).pathname);
}"""
ACTIVE = "navigator.serviceWorker.getRegistration().then((one) => one?.active?.state === 'activated')"


def wait_for_the_worker(page: Page) -> None:
    until(page, lambda: page.evaluate(ACTIVE), "the service worker is there")


@pytest.mark.parametrize(
    ("language", "title", "again"),
    [("en-US", "No connection", "Try again"), ("fr-FR", "Pas de connexion", "Réessayer")],
)
def test_the_offline_page_appears_without_network(
    windows: Windows, person: Person, language: str, title: str, again: str
) -> None:
    windows.witness.allow("ERR_INTERNET_DISCONNECTED")
    page = windows.page(person, language=language)
    chat = Chat(page)
    chat.ask("hello").wait_for_end()
    wait_for_the_worker(page)
    kept = page.evaluate(KEPT)
    assert f"/offline/{language[:2]}/" in kept
    assert all(address.startswith(("/offline/", "/static/")) for address in kept)  # nothing private
    address = page.url
    page.context.set_offline(True)
    page.reload()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    assert page.url == address
    axe.check(page, "the offline page")
    page.context.set_offline(False)
    page.get_by_role("link", name=again).click()
    expect(Chat(page).answer).to_be_visible()


def test_the_manifest_is_accepted(windows: Windows, person: Person) -> None:
    page = windows.page(person)
    session = page.context.new_cdp_session(page)
    found = session.send("Page.getAppManifest")
    assert found["url"].endswith("/manifest.webmanifest")
    assert found["errors"] == []
    left = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert {each["errorId"] for each in left} <= {"in-incognito"}  # as windows of tests are


def test_the_manifest_speaks_the_language_that_was_chosen(windows: Windows, person: Person) -> None:
    chat = Chat(windows.page(person))
    chat.open_account_menu().get_by_label("Language").select_option("fr")
    expect(chat.page.locator("html")).to_have_attribute("lang", "fr")
    found = chat.page.context.new_cdp_session(chat.page).send("Page.getAppManifest")
    assert json.loads(found["data"])["lang"] == "fr"
