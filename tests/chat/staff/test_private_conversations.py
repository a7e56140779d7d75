"""Staff read conversations and what is in their lists on record only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from chat.conversations.models import Conversation, Message
from chat.core.models import StaffAction
from tests.chat.cast import Cast
from tests.chat.staff.scene import Scene, page_of


def test_reading_a_private_conversation_is_on_record(cast: Cast, scene: Scene) -> None:
    page = cast.client("staff").get(page_of(scene.conversation, "change")).content.decode()
    assert "alice&#x27;s &lt;script&gt;secret" in page
    assert "Hot &amp; good" in page
    read = StaffAction.objects.get(verb="read conversation")
    assert read.actor == cast.staff
    assert read.target == f"conversation:{scene.conversation.pk}"
    assert read.detail == {"owner": f"user:{cast.alice.pk}", "page": 1}
    cast.client("staff").get(page_of(scene.conversation, "change"))
    assert StaffAction.objects.filter(verb="read conversation").count() == 2


@pytest.mark.parametrize(("asked", "found"), [("alice@example", 1), ("soup", 1), ("bob@example", 0)])
def test_conversations_are_found_by_owner_and_title_and_the_search_is_on_record(
    cast: Cast, scene: Scene, asked: str, found: int
) -> None:
    response = cast.client("staff").get("/admin/conversations/conversation/", {"q": asked})
    assert response.context["cl"].result_count == found
    assert StaffAction.objects.get(verb="list conversations").detail == {"search": asked}


def test_filters_in_the_address_are_on_record(cast: Cast, scene: Scene) -> None:
    listed = cast.client("staff").get("/admin/conversations/conversation/", {"title__exact": "Alice's soup"})
    assert listed.context["cl"].result_count == 1
    row = StaffAction.objects.get(verb="list conversations")
    assert row.detail == {"search": "", "filters": "title__exact=Alice%27s+soup"}


def test_a_filter_that_is_refused_is_on_record_too(cast: Cast, scene: Scene) -> None:
    asked = {"title__icontains": "soup"}
    assert cast.client("staff").get("/admin/conversations/conversation/", asked).status_code == 400
    assert StaffAction.objects.get(verb="list conversations").detail["filters"] == "title__icontains=soup"


def test_a_title_in_the_history_is_on_record(cast: Cast, scene: Scene) -> None:
    page = cast.client("staff").get(page_of(scene.conversation, "history")).content.decode()
    assert "Alice&#x27;s soup" in page
    row = StaffAction.objects.latest("pk")
    assert (row.verb, row.target) == ("read conversation title", f"conversation:{scene.conversation.pk}")
    assert row.detail == {"owner": f"user:{cast.alice.pk}"}


@pytest.mark.parametrize("who", ["staff", "moderator"])
def test_no_other_address_shows_a_share_or_a_conversation(cast: Cast, scene: Scene, who: str) -> None:
    names = {"app_label": "sharing", "model_name": "share", "field_name": "conversation", "term": "soup"}
    assert cast.client(who).get("/admin/autocomplete/", names).status_code == 404
    for obj in (scene.share, scene.conversation):
        kind = ContentType.objects.get_for_model(obj).pk
        assert cast.client(who).get(f"/admin/r/{kind}/{obj.pk}/").status_code == 404


@pytest.mark.parametrize(
    ("who", "rows", "asked"),
    [
        ("moderator", "sharing/share", "pages__messages__icontains"),
        ("moderator", "sharing/share", "title__icontains"),
        ("moderator", "sharing/share", "conversation__title__icontains"),
        ("moderator", "moderation/report", "author__password__startswith"),
        ("staff", "accounts/user", "password__startswith"),
        ("staff", "mfa/authenticator", "data__icontains"),
        ("staff", "conversations/conversation", "messages__text__icontains"),
    ],
)
def test_lists_do_not_answer_questions_about_what_they_do_not_show(
    cast: Cast, scene: Scene, who: str, rows: str, asked: str
) -> None:
    for guess in ("Hot", "no such thing"):
        response = cast.client(who).get(f"/admin/{rows}/", {asked: guess})
        assert response.status_code == 400, guess


@pytest.mark.parametrize(
    ("rows", "asked"),
    [
        ("sharing/share", {"taken_down_at__isnull": "True", "policy": "anyone"}),
        ("turns/generation", {"status__exact": "complete", "created_at__year": "2026"}),
        ("moderation/report", {"status__exact": "open", "reason__exact": "other"}),
        ("moderation/rule", {"active__exact": "1"}),
        ("accounts/user", {"is_staff__exact": "1", "suspended": "no", "groups__id__exact": "1"}),
        ("core/staffaction", {"at__month": "1", "at__year": "2026"}),
    ],
)
def test_lists_are_filtered_by_what_they_show(
    cast: Cast, scene: Scene, rows: str, asked: dict[str, Any]
) -> None:
    answer = cast.client("staff").get(f"/admin/{rows}/", asked)
    assert answer.status_code == 200
    shown = answer.context["cl"]
    conditions = {
        name: value == "True" if name.endswith("isnull") else value for name, value in asked.items()
    }
    conditions.pop("suspended", None)  # nobody is
    wanted = shown.model._default_manager.filter(**conditions)
    assert set(shown.queryset.values_list("pk")) == set(wanted.values_list("pk"))


@pytest.mark.parametrize(
    ("rows", "asked"),
    [
        ("sharing/share", {"owner__id__exact": ""}),
        ("conversations/conversation", {"model__id__exact": "1"}),
        ("accounts/user", {"pk": ""}),
    ],
)
def test_filters_without_a_meaning_lead_back_to_the_list(
    cast: Cast, scene: Scene, rows: str, asked: dict[str, Any]
) -> None:
    answer = cast.client("staff").get(f"/admin/{rows}/", asked)
    assert (answer.status_code, answer["Location"]) == (302, f"/admin/{rows}/?e=1")


def test_deleted_conversations_are_gone_for_staff_too(cast: Cast, scene: Scene) -> None:
    Conversation.objects.update(deleted_at=timezone.now())
    assert cast.client("staff").get(page_of(scene.conversation, "change")).status_code == 302
    listed = cast.client("staff").get("/admin/conversations/conversation/").content.decode()
    assert "soup" not in listed
    assert not StaffAction.objects.filter(verb="read conversation").exists()


def test_long_conversations_come_in_pages_and_a_message_opens_its_own(cast: Cast, scene: Scene) -> None:
    now = timezone.now() + timedelta(minutes=1)
    rows = [
        Message(
            conversation=scene.conversation,
            role="user",
            text=f"number-{n}.",
            created_at=now + timedelta(seconds=n),
        )
        for n in range(250)
    ]
    Message.objects.bulk_create(rows)
    address = page_of(scene.conversation, "change")
    first = cast.client("staff").get(address).content.decode()
    assert "number-97." in first
    assert "number-98." not in first
    third = cast.client("staff").get(address, {"p": 3}).content.decode()
    assert "number-249." in third
    direct = cast.client("staff").get(address, {"message": str(rows[150].pk)}).content.decode()
    assert "number-150." in direct
    for wrong in ({"message": "no-id"}, {"message": str(uuid4())}, {"p": "x"}, {"p": "999"}):
        assert cast.client("staff").get(address, wrong).status_code == 200


def test_generations_show_work_and_no_text(cast: Cast, scene: Scene) -> None:
    for page in ("/admin/turns/generation/", page_of(scene.generation, "change")):
        html = cast.client("staff").get(page).content.decode()
        assert "scripted" in html
        assert "soup" not in html.lower()
        assert "Hot" not in html
    listed = cast.client("staff").get("/admin/turns/generation/", {"status": "running", "model": "scripted"})
    assert listed.context["cl"].result_count == 0
