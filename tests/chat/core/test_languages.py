"""A catalogue is enough for a language: a small German one, made here, and everything follows from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polib
import pytest
from django.conf import settings as configured
from django.test import Client
from django.utils.translation import deactivate

from chat.accounts.models import User
from grokweb.languages import compile_catalogues, languages_in
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk

ROOT = Path(__file__).parents[3]
PAGES = {
    "Log in": "Anmelden",
    "No connection": "Keine Verbindung",
    "You": "Sie",
    "Markdown, to read": "Markdown, zum Lesen",
    "Too many requests at once. Please wait a moment.": "Zu viele Anfragen auf einmal.",
    "anyone": "alle",
}
SCRIPTS = {"Copy": "Kopieren"}


def write(folder: Path, name: str, words: dict[str, str]) -> None:
    catalogue = polib.POFile()
    catalogue.metadata = {
        "Content-Type": "text/plain; charset=UTF-8",
        "Plural-Forms": "nplurals=2; plural=(n != 1);",
    }
    catalogue.extend(polib.POEntry(msgid=english, msgstr=german) for english, german in words.items())
    folder.mkdir(parents=True, exist_ok=True)
    catalogue.save(str(folder / name))


@pytest.fixture
def catalogues(tmp_path: Path) -> Path:
    """A folder as an operator or a contributor makes it: catalogues in text, not compiled."""
    write(tmp_path / "de" / "LC_MESSAGES", "django.po", PAGES)
    write(tmp_path / "de" / "LC_MESSAGES", "djangojs.po", SCRIPTS)
    return tmp_path


@pytest.fixture
def german(catalogues: Path, settings: Any) -> Iterator[None]:
    compile_catalogues(catalogues)
    settings.LOCALE_PATHS = [catalogues, *configured.LOCALE_PATHS]
    settings.LANGUAGES = languages_in(settings.LOCALE_PATHS)
    yield
    deactivate()


def page(client: Client, address: str, language: str = "de") -> str:
    return client.get(address, headers={"accept-language": language}, follow=True).content.decode()


def test_languages_are_those_with_a_catalogue(catalogues: Path) -> None:
    assert [code for code, _name in languages_in([ROOT / "locale"])] == ["en", "fr"]
    assert [code for code, _name in languages_in([catalogues, ROOT / "locale"])] == ["en", "de", "fr"]
    (catalogues / "pt_BR" / "LC_MESSAGES").mkdir(parents=True)
    assert "pt-br" not in dict(languages_in([catalogues]))
    write(catalogues / "pt_BR" / "LC_MESSAGES", "django.po", {})
    assert str(dict(languages_in([catalogues]))["pt-br"]) == "Brazilian Portuguese"


def test_an_operator_names_a_folder_of_catalogues(catalogues: Path) -> None:
    program = "from grokweb import settings; import json; print(json.dumps(list(dict(settings.LANGUAGES))))"
    environment = {**os.environ, "GROKWEB_LOCALE": str(catalogues), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == ["en", "de", "fr"]


def test_only_what_changed_is_compiled(catalogues: Path) -> None:
    compile_catalogues(catalogues)
    compiled = sorted(catalogues.rglob("*.mo"))
    assert [path.name for path in compiled] == ["django.mo", "djangojs.mo"]
    before = [path.stat().st_mtime_ns for path in compiled]
    compile_catalogues(catalogues)
    assert [path.stat().st_mtime_ns for path in compiled] == before


@pytest.mark.usefixtures("german")
def test_pages_menus_scripts_and_the_offline_page_speak_it(cast: Cast) -> None:
    anonymous = cast.client("anonymous")
    login = page(anonymous, "/accounts/login/")
    assert '<html lang="de"' in login
    assert "Anmelden" in login
    assert 'value="de" lang="de"' in login
    assert "Deutsch" in page(anonymous, "/accounts/login/", "en")
    assert "Keine Verbindung" in anonymous.get("/offline/de/").content.decode()
    assert anonymous.get("/offline/xx/").status_code == 404
    assert "Kopieren" in page(anonymous, "/jsi18n/")


@pytest.mark.usefixtures("german")
def test_a_person_chooses_it_and_exports_follow(cast: Cast) -> None:
    client = cast.client("alice")
    saved = client.post("/settings/", {"display_name": "Alice", "language": "de"}, follow=True)
    assert saved.status_code == 200
    assert User.objects.get(pk=cast.alice.pk).language == "de"
    conversation = talk(cast.alice, "Hallo", "Guten Tag")
    exported = client.get(f"/api/conversations/{conversation.pk}/export/?format=markdown").content.decode()
    assert "## Sie\n" in exported
    chat = client.get(conversation.get_absolute_url()).content.decode()
    assert "Markdown, zum Lesen" in chat
    assert '<option value="anyone" selected>alle</option>' in chat


@pytest.mark.usefixtures("german")
def test_the_admin_offers_it(cast: Cast) -> None:
    cast.staff.is_superuser = True
    cast.staff.save()
    form = page(cast.client("staff"), f"/admin/accounts/user/{cast.alice.pk}/change/", "en")
    assert '<option value="de">German</option>' in form


@pytest.mark.usefixtures("german")
def test_it_falls_back_to_english_where_a_text_is_missing(cast: Cast) -> None:
    assert "This link leads nowhere" in page(cast.client("anonymous"), "/s/none/")
