"""Staff decide on reports and shared pages by buttons."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from chat.accounts import services as accounts
from chat.core.models import StaffAction
from tests.chat.cast import Cast
from tests.chat.staff.scene import Scene, page_of


def test_open_reports_come_first(cast: Cast, scene: Scene) -> None:
    rows = cast.client("moderator").get("/admin/moderation/report/").context["cl"].result_list
    assert [row.status for row in rows] == ["open", "dismissed"]


def test_a_report_has_a_button_for_each_decision(cast: Cast, scene: Scene) -> None:
    client = cast.client("moderator")
    page = client.get(page_of(scene.report, "change")).content.decode()
    assert "Hot &amp; good" in page
    assert 'name="dismissed"' in page
    assert 'name="hidden"' in page
    assert 'name="taken_down"' not in page
    decide = page_of(scene.report, "decide")
    assert client.get(decide).status_code == 405
    assert client.post(decide, {"hidden": "Hide the message", "decision_note": "clear"}).status_code == 302
    scene.reply.refresh_from_db()
    assert scene.reply.hidden_at is not None
    assert (
        "Dismiss and show the message again" in client.get(page_of(scene.report, "change")).content.decode()
    )
    client.post(decide, {"dismissed": "Dismiss"})
    scene.reply.refresh_from_db()
    assert scene.reply.hidden_at is None
    client.post(page_of(scene.shared_report, "decide"), {"taken_down": "x"})
    scene.share.refresh_from_db()
    assert scene.share.taken_down_at is not None
    assert [d.note for d in scene.report.decisions.order_by("pk")] == ["clear", ""]


def test_buttons_are_not_for_foreign_sites(cast: Cast, scene: Scene) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.moderator)
    assert client.post(page_of(scene.report, "decide"), {"hidden": "x"}).status_code == 403
    assert client.post(page_of(scene.share, "take-down")).status_code == 403


@pytest.mark.parametrize("action", ["other", "open", "action", "taken_down"])
def test_wrong_decisions_are_refused_in_words(cast: Cast, scene: Scene, action: str) -> None:
    response = cast.client("moderator").post(page_of(scene.report, "decide"), {action: "x"}, follow=True)
    assert [message.level_tag for message in response.context["messages"]] == ["error"]
    scene.report.refresh_from_db()
    assert scene.report.status == "open"


def test_staff_with_only_view_permission_get_no_buttons(cast: Cast, scene: Scene) -> None:
    viewer = accounts.create_user(email="viewer@example.org", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_report"))
    client = Client()
    client.force_login(viewer)
    page = client.get(page_of(scene.report, "change"))
    assert page.status_code == 200
    assert 'name="hidden"' not in page.content.decode()
    client.post(page_of(scene.report, "decide"), {"hidden": "x"})
    scene.reply.refresh_from_db()
    assert scene.reply.hidden_at is None


def test_administrators_get_from_a_report_to_where_it_is_about(cast: Cast, scene: Scene) -> None:
    page = cast.client("staff").get(page_of(scene.report, "change")).content.decode()
    [link] = re.findall(
        rf'"(/admin/conversations/conversation/{scene.conversation.pk}/change/\?message=[^"#]+)', page
    )
    assert cast.client("staff").get(link).status_code == 200
    shared = cast.client("moderator").get(page_of(scene.shared_report, "change")).content.decode()
    assert page_of(scene.share, "change") in shared


def test_a_share_is_taken_down_without_a_report(cast: Cast, scene: Scene) -> None:
    client = cast.client("moderator")
    page = client.get(page_of(scene.share, "change")).content.decode()
    assert "Hot &amp; good" in page
    assert (
        client.post(
            page_of(scene.share, "take-down"), {"decision_note": "no", "owner_reason": "Insults."}
        ).status_code
        == 302
    )
    scene.share.refresh_from_db()
    assert scene.share.taken_down_at is not None
    closed = client.get(page_of(scene.share, "change")).content.decode()
    assert "Hot &amp; good" not in closed  # private again
    assert "Hot &amp; good" in cast.client("staff").get(page_of(scene.share, "change")).content.decode()
    verbs = list(
        StaffAction.objects.filter(actor=cast.moderator).order_by("pk").values_list("verb", flat=True)
    )
    assert verbs == ["read share", "take share down", "read share"]
