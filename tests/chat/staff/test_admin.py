"""The admin opens for those who may, under the strict CSP; changes are on record."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client

from chat.core import audit
from chat.core.models import StaffAction
from chat.quotas.models import QuotaPolicy
from tests.chat.cast import PASSWORD, Cast
from tests.chat.staff.scene import Scene, page_of

READ_ONLY = {
    "conversations": ["conversation"],
    "turns": ["generation"],
    "sharing": ["share"],
    "moderation": ["report", "decision"],
    "quotas": ["usagecounter"],
    "core": ["staffaction"],
}


def every_page() -> list[str]:
    """The list of each registered model, and one page of each."""
    pages = [
        "/admin/",
        "/admin/accounts/user/add/",
        "/admin/moderation/rule/add/",
        "/admin/quotas/quotapolicy/add/",
    ]
    for model in admin.site._registry:
        pages.append(f"/admin/{model._meta.app_label}/{model._meta.model_name}/")
        first = model._default_manager.first()
        if first is not None:
            pages.append(page_of(first, "change"))
    return pages


# --- Who may come in ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status", "where"),
    [
        ("staff", 200, "/admin/"),
        ("moderator", 200, "/admin/"),
        ("alice", 403, "/admin/login/"),
        ("bob", 403, "/admin/login/"),
        ("stranger", 403, "/admin/login/"),
        ("anonymous", 200, "/accounts/login/"),
    ],
)
def test_only_staff_open_the_admin(cast: Cast, who: str, status: int, where: str) -> None:
    response = cast.client(who).get("/admin/", follow=True)
    assert response.status_code == status
    assert response.request["PATH_INFO"] == where


def test_every_page_opens_for_administrators_under_the_strict_csp(cast: Cast, scene: Scene) -> None:
    client = cast.client("staff")
    pages = every_page()
    assert len(pages) > 20
    for page in [*pages, page_of(cast.alice, "suspend"), page_of(cast.alice, "password")]:
        response = client.get(page)
        assert response.status_code == 200, page
        policy = response["Content-Security-Policy"]
        assert "unsafe" not in policy
        html = response.content.decode()
        assert not re.search(r"<[^>]+\son\w+=", html), page
        assert not re.search(r"<[^>]+\sstyle=", html), page
        assert not re.search(r"<style(?![^>]*nonce)", html), page
        for script in re.findall(r"<script[^>]*>", html):
            assert "src=" in script or "nonce=" in script or "application/json" in script, (page, script)


@pytest.mark.parametrize("who", ["alice", "bob", "stranger", "anonymous"])
def test_no_page_opens_for_others(cast: Cast, scene: Scene, who: str) -> None:
    for page in every_page():
        assert cast.client(who).get(page).status_code == 302, page
    posts = [
        page_of(scene.report, "decide"),
        page_of(scene.share, "take-down"),
        page_of(cast.bob, "suspend"),
        page_of(cast.bob, "lift"),
    ]
    for page in posts:
        response = cast.client(who).post(page, {"hidden": "x", "reason": "x"})
        assert response.status_code == 302, page
    scene.reply.refresh_from_db()
    scene.share.refresh_from_db()
    cast.bob.refresh_from_db()
    assert (scene.reply.hidden_at, scene.share.taken_down_at, cast.bob.suspended_at) == (None, None, None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/admin/conversations/modelcard/", "/admin/model_cards/modelcard/"),
        ("/admin/conversations/modelcard/7/change/?x=1", "/admin/model_cards/modelcard/7/change/?x=1"),
        ("/admin/voice/persona/?q=a", "/admin/personas/persona/?q=a"),
    ],
)
def test_the_address_that_a_page_had_in_an_earlier_release_leads_to_it(
    cast: Cast, old: str, new: str
) -> None:
    for who in ("staff", "alice", "bob", "stranger", "anonymous"):
        answer = cast.client(who).get(old)
        assert (answer.status_code, answer["Location"]) == (302, new), who
    assert cast.client("alice").get(old, follow=True).status_code == 403


def test_logging_in_for_the_admin_is_logging_in_anywhere(cast: Cast) -> None:
    """The admin uses the same rate limits and second factor, not Django's own form."""
    client = Client()
    response = client.get("/admin/login/?next=/admin/core/staffaction/")
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")
    response = client.post(response["Location"], {"login": "staff@example.org", "password": PASSWORD})
    assert response["Location"] == "/admin/core/staffaction/"


def test_moderators_see_reports_and_no_private_conversations(cast: Cast, scene: Scene) -> None:
    client = cast.client("moderator")
    for page in [
        "/admin/moderation/report/",
        page_of(scene.report, "change"),
        "/admin/moderation/rule/",
        "/admin/moderation/decision/",
        "/admin/sharing/share/",
        page_of(scene.share, "change"),
    ]:
        assert client.get(page).status_code == 200, page
    for page in [
        "/admin/conversations/conversation/",
        page_of(scene.conversation, "change"),
        page_of(scene.conversation, "history"),
        "/admin/accounts/user/",
        page_of(cast.alice, "change"),
        page_of(cast.alice, "suspend"),
        "/admin/turns/generation/",
        "/admin/quotas/quotapolicy/",
        "/admin/core/staffaction/",
    ]:
        response = client.get(page)
        assert response.status_code == 403, page
        assert "soup" not in response.content.decode().lower()
    report = client.get(page_of(scene.report, "change")).content.decode()
    assert str(scene.conversation.pk) not in report
    assert not StaffAction.objects.filter(verb__contains="conversation").exists()


def test_the_group_keeps_what_administrators_make_of_it(db: None) -> None:
    from django.core.management import call_command

    group = Group.objects.get(name="moderators")
    assert group.permissions.count() == 9
    group.permissions.remove(Permission.objects.get(codename="delete_rule"))
    call_command("migrate", verbosity=0)
    assert group.permissions.count() == 8


@pytest.mark.parametrize(
    ("app", "model"), [(app, model) for app, models in READ_ONLY.items() for model in models]
)
def test_tables_that_only_services_write_are_read_only(
    cast: Cast, scene: Scene, app: Any, model: Any
) -> None:
    client = cast.client("staff")
    base = f"/admin/{app}/{model}/"
    assert client.get(f"{base}add/").status_code == 403
    [registered] = [each for each in admin.site._registry if each._meta.label_lower == f"{app}.{model}"]
    row = registered._default_manager.first()
    assert row is not None
    assert client.post(f"{base}{row.pk}/change/", {"title": "x", "text": "x"}).status_code == 403
    assert client.post(f"{base}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    client.post(base, {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"})
    assert registered._default_manager.filter(pk=row.pk).exists()


# --- Rules and quotas ---------------------------------------------------------------------------------------


def test_changes_of_rules_and_quotas_are_on_record(cast: Cast, scene: Scene) -> None:
    client = cast.client("staff")
    form = {
        "name": "fish",
        "kind": "pattern",
        "pattern-pattern": "fi.h",
        "applies": "both",
        "words": "",
        "active": "on",
    }
    assert client.post(page_of(scene.rule, "change"), form).status_code == 302
    row = StaffAction.objects.get(verb="change")
    assert row.detail["options"] == {"pattern": "fi.h"}
    assert row.detail["applies"] == "both"
    assert client.post(page_of(scene.rule, "delete"), {"post": "yes"}).status_code == 302
    assert StaffAction.objects.get(verb="delete").target == f"rule:{scene.rule.pk}"
    form = {"user": str(cast.alice.pk), "group": "", "tokens_per_day": "7", "weight": "2"}
    assert client.post(page_of(scene.policy, "change"), form).status_code == 302
    assert StaffAction.objects.order_by("pk").last().detail["tokens_per_day"] == 7
    assert audit.verify() is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weight": "0"}, "above 0"),
        ({"weight": "-1"}, "above 0"),
        ({"weight": "nan"}, "number"),
        ({"group": "moderators"}, "not for both"),
        ({"user": ""}, "everybody already"),
        ({"tokens_per_day": "-1"}, "greater than or equal"),
        ({"running_limit": "0"}, "greater than or equal"),
    ],
)
def test_policies_that_make_no_sense_are_refused(
    cast: Cast, scene: Scene, change: dict[str, Any], words: str
) -> None:
    QuotaPolicy.objects.create(tokens_per_day=5)
    form = {"user": str(cast.bob.pk), "group": "", "tokens_per_day": "7", "weight": "1", **change}
    if form["group"]:
        form["group"] = str(Group.objects.get(name=form["group"]).pk)
    response = cast.client("staff").post("/admin/quotas/quotapolicy/add/", form)
    assert response.status_code == 200
    assert words in response.content.decode()


# --- The audit ----------------------------------------------------------------------------------------------


def test_the_state_of_the_chain_is_shown(cast: Cast, scene: Scene) -> None:
    client = cast.client("staff")
    client.get("/admin/conversations/conversation/")
    page = client.get("/admin/core/staffaction/").content.decode()
    assert 'data-chain="intact"' in page
    newest = StaffAction.objects.order_by("-pk").first()
    assert newest.seal in page
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_staffaction SET verb = 'nothing' WHERE id = %s", [newest.pk])
    page = client.get("/admin/core/staffaction/").content.decode()
    assert 'data-chain="broken"' in page
    assert str(newest.pk) in page
