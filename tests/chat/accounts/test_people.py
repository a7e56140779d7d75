"""Signing up, logging in, languages, the profile, and the sessions that websockets ask about."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from chat.accounts import services
from chat.accounts.models import User
from chat.accounts.sessions import still_allowed
from chat.core.errors import BadInput
from tests.chat.cast import PASSWORD, Cast

NEW = {"email": "New.Person@Example.org", "password1": PASSWORD, "password2": PASSWORD}


def log_in(client: Client, email: str, password: str = PASSWORD) -> Any:
    return client.post("/accounts/login/", {"login": email, "password": password})


def test_signing_up_needs_only_an_address_and_a_password(db: None, client: Client) -> None:
    assert client.post("/accounts/signup/", NEW).status_code == 302
    assert client.get("/api/profile/").json()["email"] == "new.person@example.org"


def test_the_language_chosen_before_signing_up_stays(db: None, client: Client) -> None:
    client.post("/i18n/setlang/", {"language": "fr"})
    client.post("/accounts/signup/", NEW)
    assert User.objects.get().language == "fr"


def test_a_closed_site_accepts_no_sign_up(db: None, client: Client, settings: Settings) -> None:
    settings.SIGNUP_OPEN = False
    client.get("/accounts/signup/")
    client.post("/accounts/signup/", NEW)
    assert not User.objects.exists()


def test_an_address_that_is_taken_is_not_told_to_strangers(cast: Cast, client: Client) -> None:
    client.post("/accounts/signup/", {**NEW, "email": "alice@example.org"})
    assert User.objects.filter(email="alice@example.org").count() == 1
    assert client.get("/api/profile/").status_code == 401


def test_the_right_password_logs_in_and_a_wrong_one_does_not(cast: Cast) -> None:
    client = Client()
    log_in(client, "bob@example.org", "something else")
    assert client.get("/api/profile/").status_code == 401
    log_in(client, "bob@example.org")
    assert client.get("/api/profile/").status_code == 200


def test_guessing_passwords_is_slowed_down(cast: Cast) -> None:
    client = Client()
    for _ in range(10):
        log_in(client, "bob@example.org", "a wrong guess")
    log_in(client, "bob@example.org")
    assert client.get("/api/profile/").status_code == 401


def test_the_language_of_the_profile_applies_in_a_new_browser(cast: Cast) -> None:
    services.edit_profile(user=cast.alice, language="fr")
    client = Client()
    log_in(client, "alice@example.org")
    assert client.cookies["grokweb_language"].value == "fr"
    assert client.get("/settings/")["Content-Language"] == "fr"


def test_the_language_switch_is_remembered(cast: Cast) -> None:
    cast.client("alice").post("/i18n/setlang/", {"language": "fr", "next": "/settings/"})
    cast.client("alice").post("/i18n/setlang/", {"language": "klingon"})
    cast.alice.refresh_from_db()
    assert cast.alice.language == "fr"
    assert Client().post("/i18n/setlang/", {"language": "fr"}).status_code == 302


def test_without_e_mail_nobody_attaches_another_address(cast: Cast, client: Client) -> None:
    client.post("/accounts/signup/", NEW)
    for action, status in {"action_add": 200, "action_primary": 302}.items():
        response = client.post("/accounts/email/", {action: "", "email": "bob@example.org"})
        assert response.status_code == status
    assert list(EmailAddress.objects.filter(email="bob@example.org").values_list("user", flat=True)) == [
        cast.bob.pk
    ]


@pytest.mark.parametrize("method", ["json", "form"])
def test_people_change_their_own_profile(cast: Cast, method: str) -> None:
    client = cast.client("alice")
    changed = {"display_name": "  Al\u202eice\n II ", "language": "fr"}
    if method == "json":
        response = client.patch("/api/profile/", changed, content_type="application/json")
        assert response.json() == {
            "id": str(cast.alice.pk),
            "email": "alice@example.org",
            "display_name": "Alice II",
            "language": "fr",
            "theme": "system",
            "density": "comfortable",
        }
    else:
        assert client.post("/settings/", changed).status_code == 302
    cast.alice.refresh_from_db()
    assert (cast.alice.display_name, cast.alice.language) == ("Alice II", "fr")
    assert client.cookies["grokweb_language"].value == "fr"
    cast.bob.refresh_from_db()
    assert cast.bob.display_name == "Bob"


def test_rights_are_no_part_of_the_profile(cast: Cast) -> None:
    body = {"is_staff": True, "is_superuser": True, "email": "bob@example.org", "display_name": "A"}
    cast.client("alice").patch("/api/profile/", body, content_type="application/json")
    cast.client("alice").post("/settings/", {**body, "language": ""})
    cast.alice.refresh_from_db()
    assert (cast.alice.is_staff, cast.alice.is_superuser) == (False, False)
    assert cast.alice.email == "alice@example.org"


@pytest.mark.parametrize(
    ("who", "status"), [("alice", 200), ("bob", 200), ("stranger", 200), ("staff", 200), ("anonymous", 302)]
)
def test_only_people_who_are_logged_in_open_the_settings(cast: Cast, who: str, status: int) -> None:
    assert cast.client(who).get("/settings/").status_code == status


def test_a_wrong_form_is_shown_again(cast: Cast) -> None:
    response = cast.client("alice").post("/settings/", {"display_name": "x" * 81, "language": "fr"})
    assert response.status_code == 400


# --- Sessions -----------------------------------------------------------------------------------------------


def session_of(client: Client) -> str:
    return client.cookies["grokweb_session"].value


@pytest.fixture
def sessions(cast: Cast) -> dict[Any, Any]:
    return {name: session_of(cast.client(name)) for name in ("alice", "bob", "stranger", "staff")}


def test_sessions_end_with_logout_suspension_and_password_change(
    cast: Cast, sessions: dict[Any, Any], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    cast.client("bob").logout()
    services.suspend(user=cast.stranger, by=cast.staff, reason="because")
    cast.staff.set_password("another password")
    cast.staff.save()
    asked = {
        sessions["alice"]: cast.alice.pk,
        sessions["bob"]: cast.bob.pk,
        sessions["stranger"]: cast.stranger.pk,
        sessions["staff"]: cast.staff.pk,
        "no-such-session": uuid4(),
    }
    with django_assert_num_queries(2):
        answers = still_allowed(asked)
    assert answers == {
        sessions["alice"]: "ok",
        sessions["bob"]: "logged_out",
        sessions["stranger"]: "suspended",
        sessions["staff"]: "logged_out",
        "no-such-session": "logged_out",
    }
    assert still_allowed({}) == {}


def test_a_session_belongs_to_one_person(cast: Cast, sessions: dict[Any, Any]) -> None:
    assert still_allowed({sessions["alice"]: cast.bob.pk}) == {sessions["alice"]: "logged_out"}


def test_inactive_people_are_logged_out(cast: Cast, sessions: dict[Any, Any]) -> None:
    cast.alice.is_active = False
    cast.alice.save()
    assert still_allowed({sessions["alice"]: cast.alice.pk}) == {sessions["alice"]: "logged_out"}


def test_a_mail_links_to_the_site_whatever_host_was_requested(
    cast: Cast, client: Client, settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    client.post(
        "/accounts/password/reset/", {"email": "alice@example.org"}, headers={"host": "localhost:6666"}
    )
    (sent,) = mail.outbox
    assert f"{settings.SITE_URLS[0]}/accounts/password/reset/key/" in sent.body
    assert "6666" not in f"{sent.subject}{sent.body}"


@pytest.mark.parametrize("page", ["/accounts/email/", "/accounts/password/change/", "/accounts/2fa/", "/"])
def test_browsers_store_no_page_for_people_who_are_logged_in(cast: Cast, page: str) -> None:
    assert cast.client("alice").get(page)["Cache-Control"] == "private, no-store"


# --- Made by scripts ----------------------------------------------------------------------------------------


def test_create_user_makes_somebody_who_can_log_in(
    db: None, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command(
        "create_user", "Ada@Example.org", "--password", PASSWORD, "--name", "Ada", "--staff", "--group", "g"
    )
    ada = User.objects.get(email="ada@example.org")
    assert (ada.display_name, ada.is_staff, ada.is_superuser) == ("Ada", True, False)
    assert [group.name for group in ada.groups.all()] == ["g"]
    assert EmailAddress.objects.get(user=ada).verified
    log_in(client, "ada@example.org")
    assert client.get("/api/profile/").status_code == 200
    assert "password:" not in capsys.readouterr().out


def test_create_user_prints_a_password_it_made_up(
    db: None, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("create_user", "ada@example.org", "--superuser")
    password = capsys.readouterr().out.split("password: ")[1].strip()
    log_in(client, "ada@example.org", password)
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("email", ["alice@example.org", "ALICE@example.org", "no address", ""])
def test_create_user_refuses_in_words(cast: Cast, email: str) -> None:
    with pytest.raises(CommandError):
        call_command("create_user", email, "--password", PASSWORD)
    with pytest.raises(BadInput):
        services.create_user(email=email)


def test_staff_correct_an_address(cast: Cast) -> None:
    services.change_email(user=cast.alice, email="Alice.New@example.org")
    client = Client()
    log_in(client, "alice@example.org")
    assert client.get("/api/profile/").status_code == 401
    log_in(client, "alice.new@example.org")
    assert client.get("/api/profile/").status_code == 200
    with pytest.raises(BadInput):
        services.change_email(user=cast.bob, email="alice.new@example.org")
