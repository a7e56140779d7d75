"""Images on shared pages: only where their owner chose so, only through the link, and gone with it."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from chat.conversations.branches import delete_branch
from chat.conversations.models import Conversation, Message
from chat.core.models import StaffAction
from chat.files import attaching
from chat.files.models import File
from chat.moderation import deciding
from chat.sharing import copying, links
from chat.sharing.models import Share
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk
from tests.chat.files.stored_images import BYTES, image

pytestmark = pytest.mark.django_db
PASSWORD = "open sesame"


@pytest.fixture
def conversation(cast: Cast) -> Conversation:
    found = talk(cast.alice, "What is it?", "A cat.")
    attaching.attach(found.messages.get(role="user"), [image(cast.alice), image(cast.alice, "dog.png")])
    return found


@pytest.fixture
def share(cast: Cast, conversation: Conversation) -> Share:
    return copying.create_share(conversation=conversation, owner=cast.alice, images=True)


def address(share: Share, name: str = "cat.png", number: int = 1) -> str:
    return f"{share.get_absolute_url()}images/{number}/{File.objects.get(name=name).pk}/"


def page_of(cast: Cast, share: Share, who: str = "anonymous") -> str:
    return cast.client(who).get(share.get_absolute_url()).content.decode()


def status(cast: Cast, share: Share, who: str = "anonymous") -> int:
    return int(cast.client(who).get(address(share)).status_code)


@pytest.mark.parametrize("who", ["anonymous", "stranger", "alice"])
def test_a_page_shows_the_images_and_sends_them_without_a_name(cast: Cast, share: Share, who: str) -> None:
    page = page_of(cast, share, who)
    for name in ("cat.png", "dog.png"):
        assert f'<img src="{address(share, name)}" alt="{name}" width="64" height="48"' in page
    assert "Files:" not in page
    answer = cast.client(who).get(address(share))
    assert answer.content == BYTES
    sent = {name: answer[name] for name in ("Content-Type", "Content-Disposition", "Cache-Control")}
    assert sent == {
        "Content-Type": "image/png",
        "Content-Disposition": "inline",
        "Cache-Control": "private, no-store",
    }
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert (answer["X-Content-Type-Options"], answer["Referrer-Policy"]) == ("nosniff", "no-referrer")


def test_a_link_made_without_images_names_them_only(cast: Cast, conversation: Conversation) -> None:
    share = copying.create_share(conversation=conversation, owner=cast.alice)
    page = page_of(cast, share)
    assert '<bdi dir="ltr">cat.png</bdi>, <bdi dir="ltr">dog.png</bdi>' in page
    assert "/images/" not in page
    assert status(cast, share) == 404


def test_the_owner_chooses_images_and_leaves_them_out_again(cast: Cast, conversation: Conversation) -> None:
    path = f"/api/conversations/{conversation.pk}/share/"
    client, kind = cast.client("alice"), "application/json"
    made = client.post(path, {"images": True}, content_type=kind).json()["share"]
    share = Share.objects.get(token=made["token"])
    assert (made["images"], status(cast, share)) == (True, 200)
    assert client.post(path, {"images": "yes"}, content_type=kind).status_code == 400
    one = f"{path}{made['token']}/"
    assert client.patch(one, {"images": True}, content_type=kind).status_code == 400
    assert cast.client("bob").patch(one, {"images": False}, content_type=kind).status_code == 404
    assert client.patch(one, {"images": False}, content_type=kind).status_code == 204
    page = page_of(cast, share)
    assert '<bdi dir="ltr">cat.png</bdi>, <bdi dir="ltr">dog.png</bdi>' in page
    assert ("/images/" in page, status(cast, share)) == (False, 404)


def revoked(share: Share) -> None:
    links.revoke(share=share)


def expired(share: Share) -> None:
    Share.objects.update(expires_at=timezone.now())


def taken_down(share: Share) -> None:
    links.take_down(share.pk, "because")


def hidden(share: Share) -> None:
    Message.objects.filter(role="user").update(hidden_at=timezone.now())


def deleted(share: Share) -> None:
    Conversation.objects.update(deleted_at=timezone.now())


def suspended(share: Share) -> None:
    share.owner.suspended_at = timezone.now()
    share.owner.save()


@pytest.mark.parametrize("end", [revoked, expired, taken_down, hidden, deleted, suspended])
def test_an_image_is_gone_with_its_page_or_message(cast: Cast, share: Share, end: Any) -> None:
    assert status(cast, share) == 200
    end(share)
    answer = cast.client("anonymous").get(address(share))
    assert answer.status_code == 404
    assert "This link leads nowhere" in answer.content.decode()
    assert "cat.png" not in page_of(cast, share)


def test_an_image_of_a_deleted_question_leaves_its_name(
    cast: Cast, share: Share, django_capture_on_commit_callbacks: Any
) -> None:
    url = address(share)
    with django_capture_on_commit_callbacks(execute=True):
        delete_branch(Message.objects.get(role="user"))
    assert cast.client("anonymous").get(url).status_code == 404
    page = page_of(cast, share)
    assert ('<bdi dir="ltr">cat.png</bdi>' in page, "/images/" in page) == (True, False)


def test_an_image_that_only_another_version_of_the_question_has_leaves_its_name(
    cast: Cast, conversation: Conversation, share: Share, django_capture_on_commit_callbacks: Any
) -> None:
    asked = conversation.messages.get(role="user")
    edited = conversation.messages.create(role="user", author=cast.alice, text="What is that?")
    attaching.attach(edited, list(File.objects.all()))
    with django_capture_on_commit_callbacks(execute=True):
        delete_branch(asked)
    assert status(cast, share) == 404
    page = page_of(cast, share)
    assert ('<bdi dir="ltr">cat.png</bdi>' in page, "/images/" in page) == (True, False)


def test_a_password_is_asked_before_an_image_is_sent(cast: Cast, conversation: Conversation) -> None:
    options = {"password": PASSWORD}
    share = copying.create_share(
        conversation=conversation, owner=cast.alice, policy="password", options=options, images=True
    )
    assert status(cast, share) == 404
    cast.client("anonymous").post(f"{share.get_absolute_url()}open/", options)
    assert status(cast, share) == 200
    assert status(cast, share, "stranger") == 404


def test_members_images_are_for_members(cast: Cast, conversation: Conversation) -> None:
    share = copying.create_share(conversation=conversation, owner=cast.alice, policy="members", images=True)
    assert [status(cast, share, who) for who in ("anonymous", "bob")] == [404, 200]


def test_a_link_sends_no_other_image(cast: Cast, share: Share) -> None:
    other = talk(cast.alice, "And this?").messages.get(role="user")
    attaching.attach(other, [image(cast.alice, "other.png")])
    image(cast.alice, "unsent.png")
    client = cast.client("anonymous")
    for url in (address(share, "other.png"), address(share, "unsent.png"), address(share, number=2)):
        assert client.get(url).status_code == 404


def test_staff_see_it_on_record_also_when_it_is_taken_down(cast: Cast, share: Share) -> None:
    pk = File.objects.get(name="cat.png").pk
    url = f"/admin/shared-images/{share.pk}/1/{pk}/"
    page = cast.client("moderator").get(f"/admin/sharing/share/{share.pk}/change/").content.decode()
    assert f'<img src="{url}" alt="Image 1"' in page
    assert "cat.png" not in page
    assert cast.client("moderator").get(url).content == BYTES
    row = StaffAction.objects.get(verb="read image")
    assert (row.target, row.detail) == (
        f"file:{pk}",
        {"owner": f"user:{cast.alice.pk}", "share": str(share.pk)},
    )
    deciding.take_share_down(share_id=share.pk, by=cast.moderator, owner_reason="because")
    assert [cast.client(who).get(url).status_code for who in ("moderator", "staff", "alice")] == [
        404,
        200,
        302,
    ]
