"""Tests which language a page is in, and that dates and numbers follow it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from chat.accounts import services
from chat.core.errors import QuotaExceeded, TooLong
from tests.chat.cast import Cast

FRENCH, ENGLISH = "fr-CA,fr;q=0.9,en;q=0.5", "en-GB,en;q=0.9,fr;q=0.1"
SPACE = "\xa0"  # what Django groups French digits with


def language_of(client: Client, asked: str, path: str = "/settings/") -> str:
    answer = client.get(path, HTTP_ACCEPT_LANGUAGE=asked)
    assert f'<html lang="{answer["Content-Language"]}"' in answer.content.decode()
    return str(answer["Content-Language"])


@pytest.mark.parametrize(
    ("asked", "language"),
    [(FRENCH, "fr"), (ENGLISH, "en"), ("de,fr;q=0.4", "fr"), ("de", "en"), ("", "en"), (";;q=x", "en")],
)
def test_the_browser_decides_the_language_until_a_person_chooses_one(
    cast: Cast, asked: Any, language: str
) -> None:
    assert language_of(cast.client("anonymous"), asked, "/accounts/login/") == language
    assert language_of(cast.client("alice"), asked) == language


def test_the_profile_decides_in_every_browser(cast: Cast) -> None:
    open_before = cast.client("alice")
    assert language_of(open_before, ENGLISH) == "en"
    services.edit_profile(user=cast.alice, language="fr")  # on another device
    assert language_of(open_before, ENGLISH) == "fr"
    # The words of the scripts look at no session, so the cookie says it.
    assert "Supprimer" in open_before.get("/jsi18n/", HTTP_ACCEPT_LANGUAGE=ENGLISH).content.decode()
    services.edit_profile(user=cast.alice, language="en")
    assert language_of(open_before, FRENCH) == "en"
    assert language_of(cast.client("bob"), FRENCH) == "fr"


def test_going_back_to_what_the_browser_asks_for(cast: Cast) -> None:
    client = cast.client("alice")
    services.edit_profile(user=cast.alice, language="fr")
    assert language_of(client, ENGLISH) == "fr"
    client.patch("/api/profile/", {"language": ""}, content_type="application/json")
    assert language_of(client, ENGLISH) == "en"


def test_errors_of_the_api_speak_it_too(cast: Cast) -> None:
    services.edit_profile(user=cast.alice, language="fr")
    answer = cast.client("alice").patch(
        "/api/profile/",
        {"language": "klingon"},
        content_type="application/json",
        HTTP_ACCEPT_LANGUAGE=ENGLISH,
    )
    assert answer.json()["error"]["words"] == "Cette langue n’est pas proposée."


@pytest.mark.parametrize(("language", "thousand"), [("en", "1,000"), ("fr", f"1{SPACE}000")])
def test_numbers_in_what_is_refused(language: str, thousand: str) -> None:
    with translation.override(language):
        assert thousand in TooLong(length=1000, limit=9).words
        assert thousand in TooLong(length=5, limit=1000, with_files=True).words
        assert thousand in QuotaExceeded(used=5, limit=1000, retry_after=1).words


@pytest.mark.parametrize(("language", "day"), [("en", "March 5, 2031"), ("fr", "5 mars 2031")])
def test_dates_are_written_in_the_language_of_the_profile(cast: Cast, language: str, day: str) -> None:
    services.edit_profile(user=cast.alice, language=language)
    end = datetime(2031, 3, 5, 12, tzinfo=UTC)
    services.suspend(user=cast.alice, by=cast.staff, reason="Spam", until=end)
    page = cast.client("alice").get("/", HTTP_ACCEPT_LANGUAGE="de")
    assert page["Content-Language"] == language  # this door speaks it as well
    assert day in page.content.decode()
    words = cast.client("alice").get("/api/profile/").json()["error"]["words"]
    assert day in words
