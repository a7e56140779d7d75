"""Staff see the images of messages that they may read, also of hidden ones, and each look is on record."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from chat.conversations.models import Conversation, Message
from chat.core.models import StaffAction
from chat.files import attaching
from chat.files.models import File
from chat.moderation import deciding, reporting
from chat.moderation.models import Report
from chat.sharing import copying
from chat.sharing import reporting as share_reports
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk
from tests.chat.files.stored_images import BYTES, image

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(cast: Cast) -> Message:
    found = talk(cast.alice, "What is it?", "A cat.").messages.get(role="user")
    attaching.attach(found, [image(cast.alice, "private name.png")])
    return found


@pytest.fixture
def report(cast: Cast, asked: Message) -> Report:
    return reporting.report_message(reporter=cast.alice, message=asked, reason="harmful")


def address() -> str:
    return f"/admin/images/{File.objects.get().pk}/"


def looks() -> list[Any]:
    return list(StaffAction.objects.filter(verb="read image").values_list("actor_email", "target", "detail"))


@pytest.mark.parametrize(
    ("who", "reported", "status"),
    [
        ("staff", False, 200),
        ("staff", True, 200),
        ("moderator", False, 404),
        ("moderator", True, 200),
        ("alice", True, 302),
        ("stranger", True, 302),
        ("anonymous", True, 302),
    ],
)
def test_staff_who_may_read_the_message_see_its_images_on_record(
    cast: Cast, asked: Message, who: str, reported: bool, status: int
) -> None:
    if reported:
        reporting.report_message(reporter=cast.alice, message=asked, reason="harmful")
    answer = cast.client(who).get(address())
    assert answer.status_code == status
    if status != 200:
        assert looks() == []
        return
    names = ("Content-Type", "Content-Disposition", "X-Content-Type-Options")
    assert [answer[name] for name in names] == ["image/png", "inline", "nosniff"]
    assert "no-store" in answer["Cache-Control"]
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.content == BYTES
    target, owner = f"file:{File.objects.get().pk}", f"user:{cast.alice.pk}"
    assert looks() == [(f"{who}@example.org", target, {"owner": owner})]


def test_the_pages_list_images_without_names_and_record_nothing_until_one_is_opened(
    cast: Cast, asked: Message, report: Report
) -> None:
    pages = {
        "moderator": f"/admin/moderation/report/{report.pk}/change/",
        "staff": f"/admin/conversations/conversation/{asked.conversation_id}/change/",
    }
    for who, page in pages.items():
        html = cast.client(who).get(page).content.decode()
        assert f'<img src="{address()}" alt="Image 1" width="64" height="48" loading="lazy">' in html
        assert "private name" not in html
    assert looks() == []


def test_a_hidden_image_is_for_staff_alone(cast: Cast, asked: Message, report: Report) -> None:
    own = f"/api/files/{File.objects.get().pk}/image/"
    assert cast.client("alice").get(own).status_code == 200
    deciding.decide(report=report, by=cast.moderator, action="hidden")
    assert cast.client("alice").get(own).status_code == 404
    assert cast.client("alice").get(own.replace("image", "original")).status_code == 404
    assert cast.client("moderator").get(address()).content == BYTES


def test_an_image_of_a_deleted_conversation_is_for_nobody(cast: Cast, asked: Message, report: Report) -> None:
    Conversation.objects.update(deleted_at=timezone.now())
    assert cast.client("staff").get(address()).status_code == 404
    assert cast.client("moderator").get(address()).status_code == 404
    page = cast.client("moderator").get(f"/admin/moderation/report/{report.pk}/change/").content.decode()
    assert "/admin/images/" not in page
    assert looks() == []


def test_a_report_of_a_shared_page_shows_no_image_of_the_question(cast: Cast, asked: Message) -> None:
    share = copying.create_share(conversation=asked.conversation, owner=cast.alice)  # without images
    report = share_reports.report(share=share, reporter=None, reason="harmful", message_id=str(asked.pk))
    assert cast.client("moderator").get(address()).status_code == 404
    page = cast.client("moderator").get(f"/admin/moderation/report/{report.pk}/change/").content.decode()
    assert "/admin/images/" not in page
    assert looks() == []
