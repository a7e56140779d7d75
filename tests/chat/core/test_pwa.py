"""GrokWeb can be installed; what its service worker keeps is nobody's."""

from __future__ import annotations

import re
import struct

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

pytestmark = pytest.mark.django_db


def test_the_manifest_names_icons_that_are_as_large_as_it_says(client: Client) -> None:
    answer = client.get("/manifest.webmanifest")
    assert answer["Content-Type"] == "application/manifest+json"
    manifest = answer.json()
    assert manifest["name"]
    assert manifest["start_url"] == manifest["scope"] == "/"
    assert {"192x192", "512x512"} <= {icon["sizes"] for icon in manifest["icons"]}
    assert "maskable" in {icon["purpose"] for icon in manifest["icons"]}
    for icon in manifest["icons"]:
        found = finders.find(icon["src"].removeprefix("/static/"))
        assert found, icon["src"]
        if icon["type"] == "image/png":
            with open(found, "rb") as file:
                width, height = struct.unpack(">II", file.read(24)[16:])
            assert icon["sizes"] == f"{width}x{height}"


@pytest.mark.parametrize(("language", "words"), [("en", "runs on this server"), ("fr", "sur ce serveur")])
def test_the_manifest_follows_the_language(client: Client, language: str, words: str) -> None:
    manifest = client.get("/manifest.webmanifest", headers={"accept-language": language}).json()
    assert manifest["lang"] == language
    assert words in manifest["description"]


@pytest.mark.parametrize(("language", "words"), [("en", "No connection"), ("fr", "Pas de connexion")])
def test_the_offline_page_speaks_the_language_of_its_address(
    client: Client, language: str, words: str
) -> None:
    answer = client.get(f"/offline/{language}/", headers={"accept-language": "de"})
    assert f'<html lang="{language}">' in answer.text
    assert words in answer.text
    assert answer.cookies == {}


def test_there_is_no_offline_page_in_other_languages(client: Client) -> None:
    assert client.get("/offline/xx/").status_code == 404


def test_the_worker_keeps_the_offline_page_and_its_files_alone(client: Client) -> None:
    answer = client.get("/worker.js")
    assert answer["Content-Type"].startswith("text/javascript")
    assert answer["Cache-Control"] == "no-cache"
    kept = re.search(r"const KEPT = \[PAGE, (.*?)\];", answer.text)
    assert kept is not None
    addresses = re.findall(r'"([^"]+)"', kept[1].replace("\\u002D", "-"))
    assert addresses
    assert all(address.startswith("/static/") for address in addresses)
    for address in re.findall(r'(?:href|src)="(/static/[^"]+\.css)"', client.get("/offline/en/").text):
        assert address in addresses
