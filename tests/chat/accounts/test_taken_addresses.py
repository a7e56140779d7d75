"""Tests what a person who signs up with an address learns about it (docs/security.md, "Accounts")."""

from __future__ import annotations

from django.core.mail import EmailMessage
from django.test import Client
from pytest_django import Settings

from tests.chat.cast import PASSWORD, Cast

SIGN_UP = "/accounts/signup/"


def form(email: str) -> dict[str, str]:
    return {"email": email, "password1": PASSWORD, "password2": PASSWORD}


def test_with_e_mail_a_taken_address_looks_like_any_other(
    cast: Cast, client: Client, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    taken = client.post(SIGN_UP, form("alice@example.org"))
    client.cookies.clear()
    new = client.post(SIGN_UP, form("new@example.org"))
    assert (
        (taken.status_code, taken["Location"]) == (new.status_code, new["Location"]) == (302, new["Location"])
    )
    assert [mail.to for mail in mailoutbox] == [["alice@example.org"], ["new@example.org"]]


def test_without_e_mail_it_is_refused_in_plain_words(cast: Cast, client: Client) -> None:
    taken = client.post(SIGN_UP, form("alice@example.org"))
    assert "already registered" in taken.content.decode()
    assert client.post(SIGN_UP, form("new@example.org")).status_code == 302
