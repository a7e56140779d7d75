"""The life of a link: made by the owner alone, ended by revocation, expiry, deletion or staff, all alike."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from chat.conversations.lifecycle import delete_conversation
from chat.conversations.models import Conversation, Message, MessageStatus
from chat.moderation.hooks import take_down_share
from chat.sharing import copying, links
from chat.sharing.models import Share, SharePage
from chat.sharing.policies import policy_for
from tests.chat.cast import Cast
from tests.chat.conversations.building import live_reply, talk

UNKNOWN = "5e0ae0f8-9a3c-4a52-8a0f-6f1d1a3c9e77"  # an id that nothing has

pytestmark = pytest.mark.django_db


def make(client: Client, conversation: Conversation, **body: Any) -> Any:
    address = f"/api/conversations/{conversation.pk}/share/"
    return client.post(address, json.dumps(body), content_type="application/json")


def test_an_owner_makes_reads_and_turns_off_a_link(cast: Cast) -> None:
    conversation, alice, anyone = (
        talk(cast.alice, "Hi", "Hello"),
        cast.client("alice"),
        cast.client("anonymous"),
    )
    address = f"/api/conversations/{conversation.pk}/"
    made = make(alice, conversation)
    share = made.json()["share"]
    assert made.status_code == 201
    assert share["url"].endswith(f"/s/{share['token']}/")
    assert share["url"].startswith("http")
    assert share["expires_at"] is None
    assert anyone.get(share["url"]).status_code == 200
    assert alice.get(address).json()["shares"] == [share]
    assert alice.get(conversation.get_absolute_url()).context["page"]["shares"] == [share]
    assert alice.delete(f"{address}share/{share['token']}/").status_code == 204
    assert anyone.get(share["url"]).status_code == 404
    assert alice.get(address).json()["shares"] == []
    assert alice.delete(f"{address}share/{share['token']}/").status_code == 404
    assert not SharePage.objects.exists()
    assert Share.objects.get().title == ""


def test_two_links_live_apart(cast: Cast) -> None:
    conversation, alice = talk(cast.alice, "Hi", "Hello"), cast.client("alice")
    first, second = (make(alice, conversation).json()["share"] for _ in range(2))
    assert first["token"] != second["token"]
    assert len(first["token"]) >= 32
    alice.delete(f"/api/conversations/{conversation.pk}/share/{first['token']}/")
    assert cast.client("anonymous").get(second["url"]).status_code == 200


@pytest.mark.parametrize(
    ("who", "status"), [("bob", 404), ("stranger", 404), ("staff", 404), ("anonymous", 401)]
)
def test_only_the_owner_makes_and_closes_a_link(cast: Cast, who: str, status: int) -> None:
    conversation = talk(cast.alice, "Hi", "Hello")
    share = make(cast.client("alice"), conversation).json()["share"]
    client, address = cast.client(who), f"/api/conversations/{conversation.pk}/share/"
    assert make(client, conversation).status_code == status
    assert client.delete(f"{address}{share['token']}/").status_code == status
    assert Share.objects.count() == 1
    assert cast.client("anonymous").get(share["url"]).status_code == 200


def test_a_token_of_another_conversation_is_not_found(cast: Cast) -> None:
    mine, bobs = talk(cast.alice, "Hi", "Hello"), talk(cast.bob, "Hi", "Hello")
    share = make(cast.client("bob"), bobs).json()["share"]
    answer = cast.client("alice").delete(f"/api/conversations/{mine.pk}/share/{share['token']}/")
    assert answer.status_code == 404
    assert cast.client("anonymous").get(share["url"]).status_code == 200


@pytest.mark.parametrize("days", [0, -1, 3651, 10**30, "7", 1.5, True, [], {}])
def test_days_that_are_none(cast: Cast, days: bool | dict[str, Any] | float | list[Any] | str) -> None:
    answer = make(cast.client("alice"), talk(cast.alice, "Hi", "Hello"), expires_days=days)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_input")


@pytest.mark.parametrize("policy", ["nobody", "", 1, None, []])
def test_policies_that_are_none(cast: Cast, policy: int | list[Any] | str | None) -> None:
    answer = make(cast.client("alice"), talk(cast.alice, "Hi", "Hello"), policy=policy)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_input")


def test_an_empty_conversation_has_nothing_to_share(cast: Cast) -> None:
    answer = make(cast.client("alice"), talk(cast.alice))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_input")


def test_a_live_reply_is_waited_for(cast: Cast) -> None:
    conversation = talk(cast.alice, "Hi", "Hello")
    reply = live_reply(conversation)
    answer = make(cast.client("alice"), conversation)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "busy")
    Message.objects.filter(pk=reply.pk).update(status=MessageStatus.COMPLETE, text="Here.")
    assert make(cast.client("alice"), conversation).status_code == 201


# --- The ends of a link -----------------------------------------------------------------------------------


def revoke(share: Share) -> None:
    links.revoke(share=share)


def expire(share: Share) -> None:
    Share.objects.filter(pk=share.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


def take_down(share: Share) -> None:
    take_down_share(share.pk, "")


def delete_shared(share: Share) -> None:
    delete_conversation(conversation=share.conversation)


def lose_policy(share: Share) -> None:
    Share.objects.filter(pk=share.pk).update(policy="gone")


ENDS = [revoke, expire, take_down, delete_shared, lose_policy]


@pytest.mark.parametrize("end", ENDS)
def test_every_end_looks_like_no_link_at_all(cast: Cast, end: Any) -> None:
    conversation = talk(cast.alice, "Hi", "Hello there")
    share = copying.create_share(conversation=conversation, owner=cast.alice, expires_days=7)
    client = cast.client("anonymous")
    assert client.get(share.get_absolute_url()).status_code == 200
    end(share)
    gone, unknown = client.get(share.get_absolute_url()), client.get(f"/s/{'x' * 32}/")
    assert gone.status_code == unknown.status_code == 404
    assert [t.name for t in gone.templates] == [t.name for t in unknown.templates]
    assert "sharing/gone.html" in [t.name for t in gone.templates]
    for answer in (gone, unknown):
        assert "Hello there" not in answer.content.decode()
        assert answer["X-Robots-Tag"] == "noindex, nofollow, noarchive"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert answer["Cache-Control"] == "private, no-store"
    assert cast.client("alice").get(share.get_absolute_url()).status_code == 404


def test_deleting_the_conversation_removes_the_copies(
    cast: Cast, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    conversation = talk(cast.alice, "Hi", "Hello there")
    share = copying.create_share(conversation=conversation, owner=cast.alice)
    with django_capture_on_commit_callbacks(execute=True):
        cast.client("alice").delete(f"/api/conversations/{conversation.pk}/")
    share.refresh_from_db()
    assert not share.pages.exists()
    assert share.title == ""
    assert share.revoked_at


def test_taken_down_for_the_owner_too_and_kept_for_an_appeal(cast: Cast) -> None:
    conversation = talk(cast.alice, "Hi", "Hello there")
    share = copying.create_share(conversation=conversation, owner=cast.alice)
    take_down(share)
    share.refresh_from_db()
    first = share.taken_down_at
    assert share.pages.exists()
    assert cast.client("alice").get(f"/api/conversations/{conversation.pk}/").json()["shares"] == []
    take_down(share)
    share.refresh_from_db()
    assert share.taken_down_at == first


def test_a_link_that_expires_lives_until_then(cast: Cast) -> None:
    answer = make(cast.client("alice"), talk(cast.alice, "Hi", "Hello"), expires_days=7).json()["share"]
    expires = Share.objects.get().expires_at
    assert expires is not None
    left = expires - timezone.now()
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    assert answer["expires_at"] == expires.isoformat()
    assert cast.client("anonymous").get(answer["url"]).status_code == 200


@pytest.mark.parametrize("token", ["a", "..", UNKNOWN, "x" * 500, "%00", "'", "é"])
def test_tokens_that_are_none(cast: Cast, token: Any) -> None:
    assert cast.client("anonymous").get(f"/s/{token}/").status_code == 404


# --- Policies ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status"), [("alice", 200), ("bob", 200), ("stranger", 200), ("anonymous", 302)]
)
def test_a_page_for_members_opens_for_members_only(cast: Cast, who: str, status: int) -> None:
    share = make(cast.client("alice"), talk(cast.alice, "Hi", "Hello"), policy="members").json()["share"]
    answer = cast.client(who).get(share["url"])
    assert answer.status_code == status
    if status == 302:
        assert answer["Location"].endswith(f"?next=/s/{share['token']}/")
        assert answer["Referrer-Policy"] == "no-referrer"


def test_a_suspended_member_does_not_read_members_pages(cast: Cast) -> None:
    from chat.accounts.services import suspend

    share = make(cast.client("alice"), talk(cast.alice, "Hi", "Hello"), policy="members").json()["share"]
    suspend(user=cast.bob, by=cast.staff, reason="spam")
    assert cast.client("bob").get(share["url"]).status_code == 403


def test_an_unknown_policy_admits_nobody(cast: Cast) -> None:
    assert not policy_for("unheard").may_open(Share(), cast.staff)
