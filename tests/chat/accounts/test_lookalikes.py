"""Names and addresses that pass for others: refused, or stored and shown in plain letters."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from chat.accounts.models import User
from tests.chat.cast import PASSWORD, Cast

SIGN_UP, LOG_IN = "/accounts/signup/", "/accounts/login/"

MIXED = ["Аlice", "Aliсe", "Αlice", "pаypal Support", "Ꭺlice", "аdmin", "Bоb"]
MARKED = ["A\u0336lice", "a\u20ddlice", "\u0301alice", "Z" + "\u0301" * 6 + "alice"]
UNSEEN = {
    "A\u200blice B": "Alice B",
    "\u202eAlice": "Alice",
    "Al\u200dice": "Alice",
    "Al\u3164ice": "Alice",
    "A\u00adlice": "Alice",
    "Ａｌｉｃｅ": "Alice",
    "𝐀lice": "Alice",
    "Al\U000e0061ice": "Alice",
    "Ⓐlice": "Alice",
}
HONEST = [
    *("Zoë", "Łukasz", "O'Brien", "O’Connor", "Jean-Luc Picard", "محمد علي", "דָּוִד", "山田 Taro", "Taro山田"),
    *("김철수 Kim", "Nguyễn Thị Minh Khai", "Анна", "Anna Иванова", "Ελένη", "สมชาย", "अमित कुमार", "陳大文"),
    *("José María 3rd", "😀 Max", "👩‍👩‍👧 family", "می‌خواهم", "R2-D2", "ʻOkina", "გიორგი", "Ärger & Söhne"),
]
ADDRESSES = [
    *("аlice@example.org", "alice@exаmple.org", "al\u200bice@example.org", "alice@exam\u200bple.org"),
    *("alice@ｅxample.org", "ａlice@example.org", "alice@example.org\u202e", "\u202ealice@example.org"),
    *("maſter@example.org", "alice@xn--exmple-4nf.org", "alice@exam\u00adple.org", "alice@ехample.org"),
]


def rename(cast: Cast, name: str) -> Any:
    answer = cast.client("bob").patch(
        "/api/profile/", json.dumps({"display_name": name}), content_type="application/json"
    )
    cast.bob.refresh_from_db()
    return answer


@pytest.mark.parametrize("name", [*MIXED, *MARKED], ids=ascii)
def test_a_name_that_passes_for_another_is_refused(cast: Cast, name: Any) -> None:
    assert rename(cast, name).status_code == 400
    assert cast.bob.display_name == "Bob"
    page = cast.client("bob").post("/settings/", {"display_name": name, "language": ""})
    assert page.status_code == 400
    assert "errorlist" in page.content.decode()
    cast.bob.refresh_from_db()
    assert cast.bob.display_name == "Bob"


@pytest.mark.parametrize(("name", "kept"), UNSEEN.items(), ids=map(ascii, UNSEEN))
def test_invisible_and_styled_characters_in_names_become_plain(cast: Cast, name: str, kept: Any) -> None:
    assert rename(cast, name).status_code == 200
    assert cast.bob.display_name == kept


@pytest.mark.parametrize("name", HONEST)
def test_names_of_people_stay(cast: Cast, name: str) -> None:
    assert rename(cast, name).status_code == 200
    assert cast.bob.display_name == name


def test_letters_in_either_form_are_one_name(cast: Cast) -> None:
    assert rename(cast, "Zoe\u0308").status_code == 200
    assert cast.bob.display_name == "Zoë"


@pytest.mark.parametrize("name", ["ɑlice", "Аӏісе".lower(), "ꓮlice".replace("lice", "ꓡꓲꓚꓰ")], ids=ascii)
def test_a_name_that_reads_like_somebodys_is_refused(cast: Cast, name: Any) -> None:
    answer = rename(cast, name)
    assert answer.status_code == 400
    assert "looks like somebody" in answer.json()["error"]["words"]


def test_a_name_in_other_letters_that_reads_like_nobodys_is_taken(cast: Cast) -> None:
    assert rename(cast, "Роре").status_code == 200
    assert rename(cast, "Роре").status_code == 200  # nor does it stand in its own way


@pytest.mark.parametrize("email", ADDRESSES, ids=ascii)
def test_an_address_that_passes_for_another_is_refused(cast: Cast, client: Client, email: Any) -> None:
    before = User.objects.count()
    page = client.post(SIGN_UP, {"email": email, "password1": PASSWORD, "password2": PASSWORD})
    assert page.status_code == 200
    assert "errorlist" in page.content.decode()
    with pytest.raises(CommandError):
        call_command("create_user", email, password=PASSWORD)
    staff = cast.client("staff").post(
        "/admin/accounts/user/add/",
        {"email": email, "display_name": "", "password1": PASSWORD, "password2": PASSWORD},
    )
    assert staff.status_code == 200
    change = cast.client("staff").post(
        f"/admin/accounts/user/{cast.bob.pk}/change/", {"email": email, "display_name": "Bob", "language": ""}
    )
    assert change.status_code == 200
    assert User.objects.count() == before
    assert not User.objects.exclude(email__regex=r"^[ -~]+$").exists()


@pytest.mark.parametrize("name", MIXED[:2], ids=ascii)
def test_the_command_and_the_admin_refuse_such_names(cast: Cast, name: str) -> None:
    with pytest.raises(CommandError):
        call_command("create_user", "new@example.org", password=PASSWORD, name=name)
    form = {"email": "new@example.org", "display_name": name, "password1": PASSWORD, "password2": PASSWORD}
    assert cast.client("staff").post("/admin/accounts/user/add/", form).status_code == 200
    assert not User.objects.filter(email="new@example.org").exists()


def test_a_domain_in_other_letters_is_one_address_and_shown_in_ascii(db: None, client: Client) -> None:
    call_command("create_user", "bob@münchen.de", password=PASSWORD)
    assert User.objects.get().email == "bob@xn--mnchen-3ya.de"
    for same in ("Bob@MÜNCHEN.de", "bob@mu\u0308nchen.de", "bob@xn--mnchen-3ya.de"):
        with pytest.raises(CommandError):
            call_command("create_user", same, password=PASSWORD)
        page = client.post(SIGN_UP, {"email": same, "password1": PASSWORD, "password2": PASSWORD})
        assert "already registered" in page.content.decode()
    assert client.post(LOG_IN, {"login": "bob@münchen.de", "password": PASSWORD}).status_code == 302
    client.logout()
    assert client.post(LOG_IN, {"login": "bob@xn--mnchen-3ya.de", "password": PASSWORD}).status_code == 302


def test_a_domain_that_looks_like_another_is_shown_as_what_it_is(cast: Cast) -> None:
    call_command("create_user", "alice@аррӏе.com", password=PASSWORD)
    listed = cast.client("staff").get("/admin/accounts/user/").content.decode()
    assert "alice@xn--80ak6aa92e.com" in listed


def test_a_change_of_address_is_checked(
    cast: Cast, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    page = cast.client("bob").post("/accounts/email/", {"action_add": "", "email": "alice@exаmple.org"})
    assert page.status_code == 200
    assert "plain letters" in page.content.decode()
    assert mailoutbox == []


def test_staff_are_warned_of_names_that_are_older_than_the_rules(cast: Cast) -> None:
    User.objects.filter(pk=cast.bob.pk).update(display_name="Аlice\u202e")
    listed = cast.client("staff").get("/admin/accounts/user/").content.decode()
    assert "misleading letters" in listed
    assert "\\u0410lice\\u202e" in listed
    # It stays when something else of the profile is changed.
    form = {"display_name": "Аlice\u202e", "language": "fr"}
    assert cast.client("bob").post("/settings/", form).status_code == 302


@pytest.mark.parametrize("email", ADDRESSES, ids=ascii)
def test_an_administrator_s_address_is_checked_too(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, email: Any
) -> None:
    """Uses Django's own command, which does not know our forms."""
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    people = set(User.objects.values_list("email", flat=True))
    with pytest.raises(CommandError):
        call_command("createsuperuser", interactive=False, email=email)
    assert set(User.objects.values_list("email", flat=True)) == people


def test_an_administrator_s_address_is_kept_in_ascii(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", interactive=False, email="Root@münchen.de", verbosity=0)
    assert User.objects.filter(email="root@xn--mnchen-3ya.de", is_superuser=True).exists()
    with pytest.raises(CommandError):
        call_command("createsuperuser", interactive=False, email="root@MÜNCHEN.de", verbosity=0)


@pytest.mark.parametrize(
    "long", [{"email": "a" * 300 + "@example.org"}, {"group": "g" * 151}], ids=lambda each: next(iter(each))
)
def test_create_user_refuses_values_longer_than_their_columns(cast: Cast, long: Any) -> None:
    given = {"email": "new@example.org", "group": "", **long}
    with pytest.raises(CommandError):
        call_command("create_user", given["email"], password=PASSWORD, group=given["group"])
    assert not User.objects.filter(email=given["email"]).exists()
