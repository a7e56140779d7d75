"""Policies of shared pages: the table, the options each validates, and what a password asks of readers."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone, translation

from chat.conversations.models import Conversation
from chat.sharing import access_cookie, copying, links
from chat.sharing.models import Share
from chat.sharing.policies import POLICIES, policies, policy_for
from chat.sharing.policies.base import Policy
from chat.staff.shares import PolicyFilter
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk

pytestmark = pytest.mark.django_db
PASSWORD, OTHER = "correct horse", "battery staple"


@pytest.fixture
def conversation(cast: Cast) -> Conversation:
    return talk(cast.alice, "What do fish eat?", "Other fish.")


@pytest.fixture
def share(conversation: Conversation) -> Share:
    return copying.create_share(
        conversation=conversation,
        owner=conversation.owner,
        policy="password",
        options={"password": PASSWORD},
    )


def make(client: Client, conversation: Conversation, **body: Any) -> Any:
    address = f"/api/conversations/{conversation.pk}/share/"
    return client.post(address, json.dumps(body), content_type="application/json")


def answer(client: Client, share: Share, password: str | None) -> Any:
    given = {} if password is None else {"password": password}
    return client.post(reverse("answer_shared", args=[share.token]), given)


def page(client: Client, share: Share) -> str:
    return str(client.get(share.get_absolute_url()).content.decode())


def test_every_policy_has_a_label_in_both_languages() -> None:
    assert list(policies())[:3] == ["anyone", "members", "password"]
    for policy in policies().values():
        with translation.override("en"):
            english = str(policy.label)
        with translation.override("fr"):
            assert str(policy.label) != english


def test_the_dialog_offers_every_policy_with_the_fields_it_declares(
    cast: Cast, conversation: Conversation
) -> None:
    shown = cast.client("alice").get(conversation.get_absolute_url()).content.decode()
    for name, policy in policies().items():
        assert f'<option value="{name}"' in shown
        assert (f'data-policy="{name}"' in shown) == bool(policy.fields)
        for field in policy.fields:
            assert f'name="options-{field}"' in shown


def test_a_removed_policy_admits_nobody(cast: Cast, share: Share) -> None:
    Share.objects.update(policy="removed", options={})
    assert type(policy_for("removed")) is Policy
    for who in ("alice", "staff", "anonymous"):
        assert cast.client(who).get(share.get_absolute_url()).status_code == 404
    row = cast.client("alice").get(f"/api/conversations/{share.conversation_id}/").json()["shares"][0]
    assert row["policy_label"] == "removed"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "Password of the link: This field is required."),
        ({"password": "short"}, "at least 8 characters"),
        ({"password": "x" * 129}, "at most 128 characters"),
    ],
)
def test_a_password_is_validated_by_its_policy(
    cast: Cast, conversation: Conversation, options: dict[str, Any], words: str
) -> None:
    made = make(cast.client("alice"), conversation, policy="password", options=options)
    assert made.status_code == 400
    assert words in made.json()["error"]["words"]
    assert made.json()["error"]["fields"]["password"] in made.json()["error"]["words"]
    assert not Share.objects.exists()


def test_options_must_be_an_object(cast: Cast, conversation: Conversation) -> None:
    assert make(cast.client("alice"), conversation, policy="password", options=[]).status_code == 400


def test_options_a_policy_does_not_declare_are_dropped(cast: Cast, conversation: Conversation) -> None:
    assert make(cast.client("alice"), conversation, options={"password": PASSWORD}).status_code == 201
    assert Share.objects.get().options == {}


# --- A reader ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["anonymous", "bob", "alice", "staff"])
def test_a_reader_gives_the_password_once(cast: Cast, share: Share, who: str) -> None:
    client = cast.client(who)
    asked = client.get(share.get_absolute_url())
    assert asked.status_code == 200
    assert "Other fish." not in asked.content.decode()
    assert "This page has a password" in asked.content.decode()
    right = answer(client, share, PASSWORD)
    assert (right.status_code, right["Location"]) == (302, share.get_absolute_url())
    for _ in range(2):
        assert "Other fish." in page(client, share)


def test_a_wrong_password_and_none_get_the_same_page(cast: Cast, share: Share) -> None:
    client = cast.client("anonymous")
    client.get(share.get_absolute_url())
    tokens = "csrfmiddlewaretoken"
    bodies = set()
    for password in (OTHER, "", None, "x" * 1000):
        response = answer(client, share, password)
        assert response.status_code == 403
        assert not response.cookies.get(access_cookie.COOKIE)
        bodies.add("\n".join(line for line in response.content.decode().splitlines() if tokens not in line))
    assert len(bodies) == 1
    assert "This password does not open the page." in bodies.pop()
    assert "Other fish." not in page(client, share)


def test_the_page_asks_in_french_without_scripts_and_unlisted(cast: Cast, share: Share) -> None:
    response = cast.client("anonymous").get(share.get_absolute_url(), headers={"accept-language": "fr"})
    text = response.content.decode()
    assert "Cette page a un mot de passe" in text
    assert "What do fish eat?" not in text
    assert response["X-Robots-Tag"] == "noindex, nofollow, noarchive"
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["Cache-Control"] == "private, no-store"


def test_the_answer_is_protected_against_other_sites(cast: Cast, share: Share) -> None:
    client = Client(enforce_csrf_checks=True)
    assert answer(client, share, PASSWORD).status_code == 403
    assert not client.cookies.get(access_cookie.COOKIE)


def test_a_page_that_asks_is_not_reported_by_who_has_not_read_it(cast: Cast, share: Share) -> None:
    client, address = cast.client("anonymous"), reverse("report_shared", args=[share.token])
    given = json.dumps({"reason": "wrong"})
    refused = client.post(address, given, content_type="application/json")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "reader_asked")
    assert "This page has a password" in client.post(address, {"reason": "wrong"}).content.decode()
    answer(client, share, PASSWORD)
    assert client.post(address, given, content_type="application/json").status_code == 201


def test_a_closed_link_answers_like_one_that_never_was(cast: Cast, share: Share) -> None:
    client = cast.client("anonymous")
    answer(client, share, PASSWORD)
    links.revoke(share=share)
    unknown = client.post(reverse("answer_shared", args=["x" * 32]), {"password": PASSWORD})
    for response in (client.get(share.get_absolute_url()), answer(client, share, PASSWORD), unknown):
        assert response.status_code == 404
        assert "This link leads nowhere" in response.content.decode()
    assert Share.objects.get().options == {}


def test_a_password_for_a_public_share_redirects_to_the_page(cast: Cast, conversation: Conversation) -> None:
    plain = copying.create_share(conversation=conversation, owner=cast.alice)
    response = answer(cast.client("anonymous"), plain, PASSWORD)
    assert (response.status_code, response["Location"]) == (302, plain.get_absolute_url())
    assert not response.cookies


# --- The cookie -------------------------------------------------------------------------------------------


def test_the_cookie_belongs_to_one_page(cast: Cast, share: Share, conversation: Conversation) -> None:
    second = copying.create_share(
        conversation=conversation, owner=cast.alice, policy="password", options={"password": PASSWORD}
    )
    cookie = answer(cast.client("anonymous"), share, PASSWORD).cookies[access_cookie.COOKIE]
    assert cookie["path"] == share.get_absolute_url()
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert access_cookie.is_valid(share, cookie.value)
    assert not access_cookie.is_valid(second, cookie.value)
    assert not access_cookie.is_valid(share, cookie.value + "x")
    assert not access_cookie.is_valid(share, "")


def test_the_cookie_ends_with_a_changed_password(cast: Cast, share: Share) -> None:
    reader, owner = cast.client("anonymous"), cast.client("alice")
    answer(reader, share, PASSWORD)
    assert "Other fish." in page(reader, share)
    address = f"/api/conversations/{share.conversation_id}/share/{share.token}/"
    change = {"options": {"password": OTHER}}
    assert owner.patch(address, json.dumps(change), content_type="application/json").status_code == 204
    assert "Other fish." not in page(reader, share)
    assert answer(reader, share, PASSWORD).status_code == 403
    answer(reader, share, OTHER)
    assert "Other fish." in page(reader, share)


def test_the_cookie_ends_after_a_day(share: Share, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    cookie = answer(client, share, PASSWORD).cookies[access_cookie.COOKIE].value
    later = (timezone.now() + timedelta(seconds=access_cookie.SECONDS + 60)).timestamp()
    monkeypatch.setattr("django.core.signing.time.time", lambda: later)
    assert not access_cookie.is_valid(share, cookie)


@pytest.mark.parametrize(
    ("who", "status"), [("bob", 404), ("staff", 404), ("anonymous", 401), ("alice", 204)]
)
def test_only_the_owner_changes_a_password(cast: Cast, share: Share, who: str, status: int) -> None:
    address = f"/api/conversations/{share.conversation_id}/share/{share.token}/"
    change = json.dumps({"options": {"password": OTHER}})
    answered = cast.client(who).patch(address, change, content_type="application/json")
    assert answered.status_code == status
    share.refresh_from_db()
    is_changed = policy_for("password").is_right(share, {"password": OTHER})
    assert is_changed == (status == 204)


def test_a_closed_link_cannot_be_changed(cast: Cast, share: Share) -> None:
    links.revoke(share=share)
    address = f"/api/conversations/{share.conversation_id}/share/{share.token}/"
    change = json.dumps({"options": {"password": OTHER}})
    response = cast.client("alice").patch(address, change, content_type="application/json")
    assert response.status_code == 404


# --- Guessing and leaking ---------------------------------------------------------------------------------


def test_guesses_are_limited_for_each_page_and_address(cast: Cast, share: Share) -> None:
    client = cast.client("anonymous")
    for _ in range(policy_for("password").attempts_an_hour):
        assert answer(client, share, OTHER).status_code == 403
    refused = answer(client, share, PASSWORD)
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    assert answer(elsewhere, share, PASSWORD).status_code == 302


def test_the_password_is_in_no_log_answer_or_export(
    cast: Cast, conversation: Conversation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = cast.client("alice")
    made = make(client, conversation, policy="password", options={"password": PASSWORD})
    share = Share.objects.get()
    digest = share.options["hash"]
    assert PASSWORD not in json.dumps(share.options)
    result = [
        made.content,
        client.get(f"/api/conversations/{conversation.pk}/").content,
        client.get(conversation.get_absolute_url()).content,
        client.get(f"/api/conversations/{conversation.pk}/export/").content,
        answer(client, share, PASSWORD).content,
        answer(client, share, OTHER).content,
    ]
    for each in result:
        assert PASSWORD.encode() not in each
        assert digest.encode() not in each
    assert PASSWORD not in caplog.text
    assert digest not in caplog.text


# --- Staff ------------------------------------------------------------------------------------------------


def test_staff_read_the_policy_in_their_language(cast: Cast, share: Share) -> None:
    client, headers = cast.client("staff"), {"accept-language": "fr"}
    listed = client.get(reverse("admin:sharing_share_changelist"), headers=headers).content.decode()
    assert "les personnes qui connaissent un mot de passe" in listed
    one = client.get(reverse("admin:sharing_share_change", args=[share.pk]), headers=headers).content.decode()
    assert "les personnes qui connaissent un mot de passe" in one
    assert share.options["hash"] not in one


def test_staff_filter_by_every_policy(cast: Cast, share: Share) -> None:
    Share.objects.create(conversation=share.conversation, owner=cast.alice, policy="removed")
    request, model_admin = RequestFactory().get("/"), admin.site.get_model_admin(Share)
    shown = PolicyFilter(request, {}, Share, model_admin).lookups(request, model_admin)
    assert [name for name, _label in shown] == [*POLICIES.loaded(), "removed"]
    client = cast.client("staff")
    for policy in ("password", "removed", "anyone"):
        found = client.get(reverse("admin:sharing_share_changelist"), {"policy": policy})
        assert found.context["cl"].result_count == Share.objects.filter(policy=policy).count()
