"""Sign-up, e-mail and language are stored by the setup page."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.test import Client

from chat.core.models import StaffAction
from inference.base import settings_file
from tests.grokweb.broken_servers import Mail, serving
from tests.grokweb.first_setup.page_client import PAGE, SECRET, line, post, verbs


def test_sign_up_closes_at_once_and_is_on_record(client: Client) -> None:
    assert post(client, "sign-up", open="0").status_code == 302
    assert "password1" not in Client().get("/accounts/signup/").content.decode()
    row = StaffAction.objects.get()
    assert (row.verb, row.detail) == ("change settings", {"GROKWEB_SIGNUP": "0"})
    assert post(client, "sign-up", open="1").status_code == 302
    assert "password1" in Client().get("/accounts/signup/").content.decode()


def test_a_mail_server_is_stored_when_it_answers_and_its_password_is_not_shown(
    client: Client, settings: Any
) -> None:
    heard: list[str] = []
    with serving(Mail, fault="", heard=heard) as port:
        fields = {"host": "127.0.0.1", "port": str(port), "security": "none", "user": "me"}
        fields |= {"sender": "chat@example.org"}
        assert post(client, "mail", **fields, password=SECRET).status_code == 302
        assert settings_file.stored()["EMAIL_URL"] == f"smtp://me:{SECRET}@127.0.0.1:{port}"
        assert "AUTH" in heard
        page = client.get(PAGE).content.decode()
        assert "Send a test message to staff@example.org" in page
        assert SECRET not in page
        assert settings.ACCOUNT_EMAIL_VERIFICATION == "mandatory"
        # The password stays for the same server, and goes to no other.
        assert post(client, "mail", **{**fields, "sender": "new@example.org"}).status_code == 302
        assert settings_file.stored()["EMAIL_URL"] == f"smtp://me:{SECRET}@127.0.0.1:{port}"
        assert "Enter the password" in line(post(client, "mail", **{**fields, "host": "localhost"}))
    assert SECRET not in str(list(StaffAction.objects.values_list("detail", flat=True)))
    assert post(client, "no-mail").status_code == 302
    client.get(PAGE)
    assert settings.ACCOUNT_EMAIL_VERIFICATION == "none"


def test_a_mail_server_that_refuses_the_login_is_not_stored(client: Client) -> None:
    with serving(Mail, fault="log-in", heard=[]) as port:
        answer = post(client, "mail", host="127.0.0.1", port=str(port), security="none", user="me",
                      password=SECRET, sender="chat@example.org")  # fmt: skip
    assert line(answer) == "The mail server refuses the user or the password."
    assert SECRET not in answer.content.decode()
    assert settings_file.stored() == {}


def test_a_test_message_goes_to_the_administrator(client: Client, settings: Any) -> None:
    settings.EMAIL_URL = "smtp://mail.example.org:25"
    answer = client.post(PAGE, {"step": "test-mail"}, headers={"accept": "application/json"})
    assert answer.json() == {
        "ok": True,
        "words": "The mail server has taken a message for staff@example.org.",
    }
    assert [message.to for message in mail.outbox] == [["staff@example.org"]]
    assert verbs() == ["send test message"]


def test_the_language_takes_effect_at_the_next_start_and_the_page_says_so(client: Client) -> None:
    assert "data-next-start" not in client.get(PAGE).content.decode()
    assert post(client, "language", language="fr").status_code == 302
    assert "data-next-start" in client.get(PAGE).content.decode()
    assert settings_file.stored() == {"GROKWEB_LANGUAGE": "fr"}


def test_settings_of_the_environment_cannot_be_changed_here(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"GROKWEB_SIGNUP": "1", "EMAIL_URL": "smtp://h:25", "GROKWEB_LANGUAGE": "en"}.items():
        monkeypatch.setenv(name, value)
    page = client.get(PAGE).content.decode()
    assert page.count("data-fixed") == 3
    answer = post(client, "sign-up", open="0")
    assert (answer.status_code, settings_file.stored()) == (400, {})
    assert line(answer) == "GROKWEB_SIGNUP is set by the environment of the service."
