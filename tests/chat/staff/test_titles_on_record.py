"""No list tells staff what people wrote in private: that is read on a page of its own, on record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from chat.conversations.lifecycle import delete_conversation
from chat.core.models import StaffAction
from chat.moderation import deciding
from chat.moderation.hooks import take_down_share
from chat.moderation.models import Report
from chat.sharing import copying, links
from chat.sharing.models import Share
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk

pytestmark = pytest.mark.django_db

TITLE = "How I lost my job"
ANSWER = "That was Tuesday."


@pytest.fixture
def share(cast: Cast) -> Share:
    conversation = talk(cast.alice, "Hi", ANSWER, title=TITLE)
    return copying.create_share(conversation=conversation, owner=cast.alice, expires_days=7)


def turn_off(share: Share) -> None:
    links.revoke(share=share)


def expire(share: Share) -> None:
    Share.objects.filter(pk=share.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


def take_down(share: Share) -> None:
    take_down_share(share.pk, "")


def delete_shared(share: Share) -> None:
    delete_conversation(conversation=share.conversation)


ENDS = [turn_off, expire, take_down, delete_shared]


def page_of(share: Share) -> str:
    return f"/admin/sharing/share/{share.pk}/change/"


@pytest.mark.parametrize("end", [None, *ENDS])
@pytest.mark.parametrize("who", ["moderator", "staff"])
def test_no_list_of_links_has_titles(cast: Cast, share: Share, who: str, end: Any) -> None:
    if end:
        end(share)
    listed = cast.client(who).get("/admin/sharing/share/")
    assert str(share.pk) in listed.content.decode()
    assert TITLE not in listed.content.decode()


def test_links_are_not_found_by_their_title(cast: Cast, share: Share) -> None:
    client = cast.client("moderator")
    for words in ("lost my job", "no such title"):
        assert client.get("/admin/sharing/share/", {"q": words}).context["cl"].result_count == 0
        for field in ("title", "title__icontains"):
            assert client.get("/admin/sharing/share/", {field: words}).status_code == 400
    assert (
        cast.client("moderator").get("/admin/sharing/share/", {"q": share.token}).context["cl"].result_count
        == 1
    )


@pytest.mark.parametrize("end", [turn_off, expire, take_down])
def test_a_closed_link_tells_moderators_nothing(cast: Cast, share: Share, end: Any) -> None:
    end(share)
    page = cast.client("moderator").get(page_of(share)).content.decode()
    assert TITLE not in page
    assert ANSWER not in page
    history = cast.client("moderator").get(page_of(share).replace("/change/", "/history/"))
    assert TITLE not in history.content.decode()


def test_reading_a_title_is_on_record(cast: Cast, share: Share) -> None:
    page = cast.client("moderator").get(page_of(share)).content.decode()
    assert TITLE in page
    assert ANSWER in page
    row = StaffAction.objects.get(verb="read share")
    assert row.actor == cast.moderator
    assert row.target == f"share:{share.pk}"
    assert row.detail == {"owner": f"user:{cast.alice.pk}", "page": 1}


def test_administrators_read_what_was_taken_down_on_record(cast: Cast, share: Share) -> None:
    take_down(share)
    page = cast.client("staff").get(page_of(share)).content.decode()
    assert TITLE in page
    assert StaffAction.objects.filter(verb="read share").count() == 1


def test_a_report_that_is_decided_is_read_on_its_page_only(cast: Cast, share: Share) -> None:
    cast.client("bob").post(f"{share.get_absolute_url()}report/", {"reason": "other"})
    report = Report.objects.get()
    client = cast.client("moderator")
    assert ANSWER in client.get("/admin/moderation/report/").content.decode()  # to be decided
    deciding.decide(report=report, by=cast.staff, action="dismissed")
    for listed in ("/admin/moderation/report/", "/admin/moderation/decision/", "/admin/"):
        assert ANSWER not in client.get(listed).content.decode()
    assert ANSWER in client.get(f"/admin/moderation/report/{report.pk}/change/").content.decode()
    row = StaffAction.objects.get(verb="read report")
    assert (row.actor, row.target) == (cast.moderator, f"report:{report.pk}")
    assert row.detail == {"author": f"user:{cast.alice.pk}"}


def test_searching_reports_is_on_record(cast: Cast, share: Share) -> None:
    cast.client("bob").post(f"{share.get_absolute_url()}report/", {"reason": "other"})
    found = cast.client("moderator").get("/admin/moderation/report/", {"q": "Tuesday"})
    assert found.context["cl"].result_count == 1
    assert StaffAction.objects.get(verb="search reports").detail == {"search": "Tuesday"}
    cast.client("moderator").get("/admin/moderation/report/", {"status__exact": "open"})
    assert StaffAction.objects.filter(verb="search reports").count() == 1


def test_a_long_share_is_read_by_staff_in_pages(cast: Cast) -> None:
    conversation = talk(cast.alice, *(f"message-{n}. " + "x" * 20_000 for n in range(6)))
    share = copying.create_share(conversation=conversation, owner=cast.alice)
    client = cast.client("moderator")
    first, last = (client.get(page_of(share), {"p": p}).content.decode() for p in (1, share.page_count))
    assert "message-0." in first
    assert "message-5." not in first
    assert "message-5." in last
    assert [row.detail["page"] for row in StaffAction.objects.filter(verb="read share").order_by("pk")] == [
        1,
        6,
    ]
