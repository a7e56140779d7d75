"""Anybody who can read a shared page can report it, from a browser that is told to send no referrer."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from chat.conversations.models import Message
from chat.moderation.deciding import decide
from chat.moderation.models import Report
from chat.sharing import copying, links
from chat.sharing.models import Share
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk

pytestmark = pytest.mark.django_db


@pytest.fixture
def share(cast: Cast) -> Share:
    conversation = talk(cast.alice, "Hi", "Something bad", "And?", "Something worse")
    return copying.create_share(conversation=conversation, owner=cast.alice)


def post_form(client: Client, share: Share, **fields: Any) -> Any:
    return client.post(f"{share.get_absolute_url()}report/", {"reason": "harmful", **fields})


def post_json(client: Client, share: Share, **fields: Any) -> Any:
    body = json.dumps({"reason": "harmful", **fields})
    return client.post(f"{share.get_absolute_url()}report/", body, content_type="application/json")


@pytest.mark.parametrize("who", ["anonymous", "bob", "alice"])
def test_every_reader_of_a_shared_page_may_report_it(cast: Cast, share: Share, who: str) -> None:
    answer = post_form(cast.client(who), share, note="Please look")
    assert answer.status_code == 302
    assert answer["Location"].startswith(share.get_absolute_url())
    assert cast.client(who).get(answer["Location"]).context["reported"] is True
    report = Report.objects.get()
    assert report.reporter == (None if who == "anonymous" else getattr(cast, who))
    assert (report.share_id, report.message_id, report.author) == (share.pk, None, cast.alice)
    assert (report.reason, report.note) == ("harmful", "Please look")
    assert "assistant: Something bad" in report.text
    assert "user: And?" in report.text


def test_one_message_is_reported_as_json(cast: Cast, share: Share) -> None:
    bad = Message.objects.get(text="Something bad")
    answer = post_json(cast.client("anonymous"), share, message_id=str(bad.pk))
    assert answer.status_code == 201
    report = Report.objects.get()
    assert (report.message_id, report.text) == (bad.pk, "assistant: Something bad")
    assert answer.json()["report"]["id"] == str(report.pk)


def test_a_message_of_another_conversation_cannot_be_named(cast: Cast, share: Share) -> None:
    secret = talk(cast.bob, "A secret").messages.get()
    for message_id in (str(secret.pk), str(uuid4()), "x"):
        answer = post_json(cast.client("anonymous"), share, message_id=message_id)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_input")
    assert not Report.objects.exists()


def test_a_hidden_message_is_not_copied_into_a_report(cast: Cast, share: Share) -> None:
    Message.objects.filter(text="Something bad").update(hidden_at=timezone.now())
    post_form(cast.client("anonymous"), share)
    assert "Something bad" not in Report.objects.get().text


@pytest.mark.parametrize(
    "fields", [{"reason": ""}, {"reason": "x"}, {"note": "x" * 2001}, {"reason": "a\x00"}]
)
def test_bad_reports_are_refused(cast: Cast, share: Share, fields: Any) -> None:
    for post in (post_form, post_json):
        assert post(cast.client("anonymous"), share, **fields).status_code == 400
    assert not Report.objects.exists()


@pytest.mark.parametrize(
    "fields", [{"reason": 1}, {"note": ["x"]}, {"message_id": {"x": 1}}, {"note": "\x00"}]
)
def test_bad_json_reports_are_refused(cast: Cast, share: Share, fields: dict[str, Any]) -> None:
    assert post_json(cast.client("anonymous"), share, **fields).status_code == 400


def test_a_form_with_a_zero_byte_is_stored_without_it(cast: Cast, share: Share) -> None:
    assert post_form(cast.client("anonymous"), share, note="a\x00b").status_code == 302
    assert Report.objects.get().note == "ab"


def test_a_dead_link_cannot_be_reported(cast: Cast, share: Share) -> None:
    links.revoke(share=share)
    assert post_form(cast.client("anonymous"), share).status_code == 404
    answer = post_json(cast.client("anonymous"), share)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert not Report.objects.exists()


def test_a_report_is_made_by_post_only(cast: Cast, share: Share) -> None:
    assert cast.client("anonymous").get(f"{share.get_absolute_url()}report/").status_code == 405


def test_members_pages_are_reported_by_members(cast: Cast) -> None:
    share = copying.create_share(
        conversation=talk(cast.alice, "Hi", "Hello"), owner=cast.alice, policy="members"
    )
    answer = post_form(cast.client("anonymous"), share)
    assert (answer.status_code, answer["Location"].split("next=")[-1]) == (302, share.get_absolute_url())
    assert post_json(cast.client("anonymous"), share).status_code == 401
    assert post_form(cast.client("bob"), share).status_code == 302
    assert Report.objects.count() == 1


def test_one_address_reports_ten_times_an_hour(cast: Cast, share: Share) -> None:
    client = cast.client("anonymous")
    assert [post_json(client, share).status_code for _ in range(11)] == [201] * 10 + [429]
    refused = post_form(client, share)
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert post_json(Client(REMOTE_ADDR="192.0.2.7"), share).status_code == 201


def test_one_page_is_reported_sixty_times_an_hour(cast: Cast, share: Share) -> None:
    statuses = [post_json(Client(REMOTE_ADDR=f"192.0.2.{n}"), share).status_code for n in range(61)]
    assert statuses == [201] * 60 + [429]


def test_staff_take_it_down(cast: Cast, share: Share) -> None:
    post_form(cast.client("anonymous"), share)
    decide(report=Report.objects.get(), by=cast.moderator, action="taken_down", note="")
    assert cast.client("anonymous").get(share.get_absolute_url()).status_code == 404


def test_staff_hide_one_message_of_it(cast: Cast, share: Share) -> None:
    bad = Message.objects.get(text="Something bad")
    post_json(cast.client("anonymous"), share, message_id=str(bad.pk))
    decide(report=Report.objects.get(), by=cast.moderator, action="hidden", note="")
    page = cast.client("anonymous").get(share.get_absolute_url()).content.decode()
    assert "Something bad" not in page
    assert "Something worse" in page


# --- CSRF -------------------------------------------------------------------------------------------------


def browser_post(share: Share, headers: dict[str, str], *, token: bool = True, secure: bool = False) -> Any:
    """Posts as a browser does from a page under `Referrer-Policy: no-referrer`."""
    browser = Client(enforce_csrf_checks=True)
    browser.get(share.get_absolute_url(), secure=secure)
    assert "grokweb_csrf" in browser.cookies
    fields = {"reason": "illegal"}
    if token:
        fields["csrfmiddlewaretoken"] = browser.cookies["grokweb_csrf"].value
    return browser.post(f"{share.get_absolute_url()}report/", fields, headers=headers, secure=secure)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 302),
        ({"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}, 302),
        ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "null"}, 302),  # plain HTTP, not on this machine: browsers leave Sec-Fetch-Site out
        ({"Origin": ""}, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
    ],
)
def test_the_form_works_without_referrer_and_from_nowhere_else(
    cast: Cast, share: Share, headers: dict[str, Any], status: int
) -> None:
    assert browser_post(share, headers).status_code == status
    assert Report.objects.count() == (status == 302)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 302), ({"Origin": "null"}, 403), ({}, 403)],
)
def test_on_https_the_browser_must_say_where_it_comes_from(
    cast: Cast, share: Share, headers: dict[str, Any], status: int
) -> None:
    assert browser_post(share, headers, secure=True).status_code == status


def test_without_the_token_it_is_refused(cast: Cast, share: Share) -> None:
    answer = browser_post(share, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, token=False)
    assert answer.status_code == 403
    client = Client(enforce_csrf_checks=True)
    assert post_json(client, share).status_code == 403
    assert not Report.objects.exists()
