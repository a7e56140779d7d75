"""Pages, messages and mails of accounts speak like the rest of the product, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client

from chat.accounts.models import User
from tests.chat.cast import PASSWORD, Cast

pytestmark = pytest.mark.django_db
# Words of django-allauth's own pages, for which ours have others.
FOREIGN = {
    "en": r"\bsign(?:ed|ing)?[ -](?:in|out)\b|\bsignup\b|two-factor|\bemail\b|\bauthenticat|username",
    "fr": r"\bemail\b|\bcourriel\b|deux facteurs|authentificateur|\bjeton\b|récupération|nom d.utilisateur",
}
ENTRANCE = [
    "login",
    "signup",
    "password/reset",
    "password/reset/done",
    "password/reset/key/1-x",
    "confirm-email",
]
INSIDE = ["email", "password/change", "reauthenticate", "2fa", "2fa/totp/activate", "logout"]
PROTECTED = ["2fa", "2fa/totp/deactivate", "2fa/recovery-codes", "2fa/recovery-codes/generate"]


def seen(html: str) -> str:
    """The text of a page, without names of fields, addresses and scripts."""
    html = re.sub(r"(?s)<(script|style|svg|title)\b.*?</\1>", " ", html)
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def pages(client: Client, names: list[str], language: str) -> Iterator[tuple[str, str]]:
    client.cookies["grokweb_language"] = language
    for name in names:
        answer = client.get(f"/accounts/{name}/", follow=True)
        yield name, seen(answer.content.decode())


@pytest.mark.parametrize("language", FOREIGN)
def test_pages_use_the_products_words(cast: Cast, client: Client, settings: Any, language: str) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    alice, bob = cast.client("alice"), cast.client("bob")
    for each in (alice, bob):
        each.post("/accounts/reauthenticate/", {"password": PASSWORD})
    TOTP.activate(cast.bob, generate_totp_secret())
    RecoveryCodes.activate(cast.bob)
    for who, names in ((client, ENTRANCE), (alice, INSIDE), (bob, PROTECTED)):
        for name, text in pages(who, names, language):
            found = re.search(FOREIGN[language], text, re.IGNORECASE)
            assert not found, f"{name}: {found[0]!r} in {text[:2000]}"


@pytest.mark.parametrize("language", FOREIGN)
def test_mails_use_the_products_words(
    cast: Cast, client: Client, settings: Any, mailoutbox: list[Any], language: str
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    client.cookies["grokweb_language"] = language
    for email in ("new@example.org", "alice@example.org"):
        form = {"email": email, "password1": PASSWORD, "password2": PASSWORD}
        client.post("/accounts/signup/", form)
        client.cookies.pop("grokweb_session", None)
    for email in ("nobody@example.org", "alice@example.org"):
        client.post("/accounts/password/reset/", {"email": email})
    assert len(mailoutbox) == 4
    for mail in mailoutbox:
        text = re.sub(r"\S+[@/]\S+", " ", f"{mail.subject}\n{mail.body}")
        found = re.search(FOREIGN[language], text, re.IGNORECASE)
        assert not found, f"{found[0]!r} in {text}"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "This e-mail address and password do not go together."),
        ("fr", "Cette adresse e-mail et ce mot de passe ne vont pas ensemble."),
    ],
)
def test_a_wrong_password_is_refused_in_the_products_words(client: Client, language: str, words: str) -> None:
    client.cookies["grokweb_language"] = language
    page = client.post("/accounts/login/", {"login": "alice@example.org", "password": "wrong"})
    assert words in page.content.decode()


def test_a_confirmed_address_is_told_in_the_products_words(
    client: Client, settings: Any, mailoutbox: list[Any]
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    client.post(
        "/accounts/signup/", {"email": "new@example.org", "password1": PASSWORD, "password2": PASSWORD}
    )
    link = re.search(r"/accounts/confirm-email/\S+", mailoutbox[0].body)
    assert link
    assert "Does new@example.org belong to" in " ".join(seen(client.get(link[0]).content.decode()).split())
    page = client.post(link[0], follow=True).content.decode()
    assert "new@example.org is confirmed." in page
    assert EmailAddress.objects.get().verified
    assert User.objects.count() == 1
