"""The setup page in French on a phone: readable, and a server is tried out without losing what was typed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.e2e import axe
from tests.e2e.browsing import Windows
from tests.e2e.people import Person
from tests.inference.servers.fake_server import MODEL, Call, FakeServer


def answer(call: Call) -> None:
    if call.body["model"] == MODEL:
        call.ok("Bonjour")
    else:
        call.refuse("unknown")


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(answer) as running:
        yield running


def test_an_administrator_tries_a_server_out_on_a_phone_in_french(
    windows: Windows, admin: Person, server: FakeServer
) -> None:
    page = windows.page(admin, "/admin/setup/", size=(360, 740), language="fr-FR", touch=True)
    expect(page.locator("[data-missing]")).to_contain_text("Courrier électronique")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    axe.check(page, "setup")

    form = page.locator("[data-server]")
    form.get_by_label("Adresse").fill(server.base)
    form.get_by_label("Modèle, tel que le serveur l’appelle").fill("another")
    form.get_by_role("button", name="Essayer").click()
    expect(form.locator("output")).to_contain_text("Le serveur refuse la requête")
    page.route("**/admin/setup/", lambda route: route.fulfill(body="<h1>no JSON</h1>"), times=1)
    form.get_by_role("button", name="Essayer").click()
    expect(form.locator("output.bad")).to_contain_text("Aucune réponse utilisable n’est venue")
    form.get_by_label("Modèle, tel que le serveur l’appelle").fill(MODEL)
    form.get_by_role("button", name="Essayer").click()
    expect(form.locator("output")).to_have_text(re.compile("Il répond après .* : « Bonjour »"))
    expect(form.get_by_label("Adresse")).to_have_value(server.base)
    expect(page.locator("[data-state=answers]")).to_contain_text("Il répond.")
