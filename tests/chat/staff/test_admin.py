"""The admin pages: they open for those who may, under the strict CSP, and do what their buttons say."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.accounts import services as accounts
from chat.accounts.models import User
from chat.conversations.models import Conversation, Message
from chat.core import audit
from chat.core.models import StaffAction
from chat.model_cards.models import ModelCard
from chat.moderation import deciding, reporting
from chat.moderation.models import Report, Rule
from chat.quotas import services as quotas
from chat.quotas.models import QuotaPolicy
from chat.sharing.copying import store_copy
from chat.sharing.models import Share
from chat.turns.models import Generation, Status
from tests.chat.cast import PASSWORD, Cast

SECRET = "alice's <script>secret</script> soup"
READ_ONLY = {
    "conversations": ["conversation"],
    "turns": ["generation"],
    "sharing": ["share"],
    "moderation": ["report", "decision"],
    "quotas": ["usagecounter"],
    "core": ["staffaction"],
}


class Scene:
    """Something to look at in every list."""

    def __init__(self, cast: Cast, model_card: ModelCard) -> None:
        self.conversation = Conversation.objects.create(
            owner=cast.alice, model=model_card, title="Alice's soup"
        )
        self.asked = self.conversation.messages.create(role="user", author=cast.alice, text=SECRET)
        self.reply = self.conversation.messages.create(role="assistant", parent=self.asked, text="Hot & good")
        self.generation = Generation.objects.create(
            message=self.reply, user=cast.alice, model="scripted", seed=1, status=Status.COMPLETE
        )
        snapshot = [{"id": str(self.reply.pk), "role": "assistant", "text": self.reply.text}]
        self.share = store_copy(
            Share(conversation=self.conversation, owner=cast.alice, title="Soup"), snapshot
        )
        self.report = reporting.report_message(
            reporter=cast.alice, message=self.reply, reason="harmful", note="burnt"
        )
        self.shared_report = reporting.report_share(
            reporter=None, share_id=self.share.pk, text="Hot & good", author=cast.alice, reason="other"
        )
        deciding.decide(report=self.shared_report, by=cast.staff, action="dismissed")
        self.rule = Rule.objects.create(name="fish", options={"pattern": "fish"})
        self.policy = QuotaPolicy.objects.create(user=cast.alice, tokens_per_day=1000)
        quotas.reserve(
            user=cast.alice,
            allowance=quotas.open_today(cast.alice),
            generation_id=uuid4(),
            model="scripted",
            prompt_tokens=1,
            max_new_tokens=20,
        )


@pytest.fixture
def scene(cast: Cast, model_card: ModelCard) -> Scene:
    return Scene(cast, model_card)


def page_of(obj: Any, *more: str) -> str:
    return "/".join([f"/admin/{obj._meta.app_label}/{obj._meta.model_name}/{obj.pk}", *more]) + "/"


CHANGE = ("change",)


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


# --- Private conversations ----------------------------------------------------------------------------------


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


def test_generations_show_work_and_no_text(cast: Cast, scene: Scene) -> None:
    for page in ("/admin/turns/generation/", page_of(scene.generation, "change")):
        html = cast.client("staff").get(page).content.decode()
        assert "scripted" in html
        assert "soup" not in html.lower()
        assert "Hot" not in html
    listed = cast.client("staff").get("/admin/turns/generation/", {"status": "running", "model": "scripted"})
    assert listed.context["cl"].result_count == 0


# --- People -------------------------------------------------------------------------------------------------


def test_people_are_found_and_suspended_and_let_back(cast: Cast) -> None:
    client = cast.client("staff")
    found = client.get("/admin/accounts/user/", {"q": "alice@"})
    assert found.context["cl"].result_count == 1
    assert page_of(cast.alice, "suspend") in client.get(page_of(cast.alice, "change")).content.decode()
    end = timezone.now() + timedelta(days=2)
    form = {"reason": "Spam", "until": end.strftime("%Y-%m-%dT%H:%M")}
    assert client.post(page_of(cast.alice, "suspend"), form).status_code == 302
    cast.alice.refresh_from_db()
    assert cast.alice.is_suspended
    assert cast.alice.suspended_until is not None
    assert abs(cast.alice.suspended_until - end) < timedelta(minutes=1)
    assert client.get("/admin/accounts/user/", {"suspended": "yes"}).context["cl"].result_count == 1
    assert client.get("/admin/accounts/user/", {"suspended": "no"}).context["cl"].result_count == 4
    assert cast.client("alice").get("/api/profile/").status_code == 403
    assert page_of(cast.alice, "lift") in client.get(page_of(cast.alice, "change")).content.decode()
    assert client.get(page_of(cast.alice, "lift")).status_code == 405
    assert client.post(page_of(cast.alice, "lift")).status_code == 302
    assert cast.client("alice").get("/api/profile/").status_code == 200
    assert list(StaffAction.objects.order_by("pk").values_list("verb", flat=True)) == [
        "suspend",
        "lift suspension",
    ]


@pytest.mark.parametrize(
    "form", [{"reason": ""}, {"reason": "x", "until": "2001-01-01T00:00"}, {"reason": "x", "until": "soon"}]
)
def test_a_wrong_suspension_is_shown_again(cast: Cast, form: dict[str, Any]) -> None:
    response = cast.client("staff").post(page_of(cast.alice, "suspend"), form)
    assert response.status_code == 200
    assert "errorlist" in response.content.decode()
    cast.alice.refresh_from_db()
    assert not cast.alice.is_suspended


def test_nobody_suspends_themselves_and_unknown_people_are_unknown(cast: Cast) -> None:
    response = cast.client("staff").post(page_of(cast.staff, "suspend"), {"reason": "x"})
    assert "You cannot do this to yourself." in response.content.decode()
    assert cast.client("staff").get(f"/admin/accounts/user/{uuid4()}/suspend/").status_code == 404


def test_people_are_added_with_a_verified_address(cast: Cast) -> None:
    form = {"email": "New@Example.org", "display_name": "New", "password1": PASSWORD, "password2": PASSWORD}
    assert cast.client("staff").post("/admin/accounts/user/add/", form).status_code == 302
    client = Client()
    client.post("/accounts/login/", {"login": "new@example.org", "password": PASSWORD})
    assert client.get("/api/profile/").status_code == 200
    assert (
        StaffAction.objects.get(verb="add").target == f"user:{User.objects.get(email='new@example.org').pk}"
    )
    again = cast.client("staff").post("/admin/accounts/user/add/", {**form, "email": "ALICE@example.org"})
    assert again.status_code == 200
    assert "already" in again.content.decode()


def test_changes_by_staff_to_a_person_are_on_record_with_their_values(cast: Cast) -> None:
    form = {
        "email": "alice@example.org",
        "display_name": "A",
        "language": "",
        "is_active": "on",
        "is_staff": "on",
    }
    assert cast.client("staff").post(page_of(cast.alice, "change"), form).status_code == 302
    row = StaffAction.objects.get(verb="change")
    assert row.target == f"user:{cast.alice.pk}"
    assert row.detail["is_staff"] is True
    assert set(row.detail["changed"]) == {"Display name", "Staff"}


def test_a_new_password_from_staff_is_on_record_without_it(cast: Cast) -> None:
    form = {"password1": "a brand new one", "password2": "a brand new one", "usable_password": "true"}
    assert cast.client("staff").post(page_of(cast.alice, "password"), form).status_code == 302
    cast.alice.refresh_from_db()
    assert cast.alice.check_password("a brand new one")
    assert "brand new" not in str(StaffAction.objects.get().detail)


def test_staff_who_are_no_administrators_cannot_raise_anybody(cast: Cast) -> None:
    clerk = accounts.create_user(email="clerk@example.org", is_staff=True)
    names = ("view_user", "change_user", "delete_user", "add_user")
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(clerk)
    form = {
        "email": "alice@example.org",
        "display_name": "A",
        "language": "",
        "is_active": "on",
        "is_staff": "on",
        "is_superuser": "on",
        "groups": [str(Group.objects.get(name="moderators").pk)],
    }
    assert client.post(page_of(cast.alice, "change"), form).status_code == 302
    alice = User.objects.get(pk=cast.alice.pk)
    assert (alice.display_name, alice.is_staff, alice.is_superuser, alice.groups.count()) == (
        "A",
        False,
        False,
        0,
    )
    client.post(page_of(clerk, "change"), {**form, "email": "clerk@example.org"})
    clerk.refresh_from_db()
    assert (clerk.is_superuser, clerk.groups.count()) == (False, 0)
    for person in (cast.staff, cast.moderator):
        assert client.post(page_of(person, "change"), form).status_code == 403
        assert client.post(page_of(person, "password"), form).status_code == 403
        assert client.post(page_of(person, "suspend"), {"reason": "x"}).status_code == 403
    assert client.post(page_of(cast.bob, "suspend"), {"reason": "x"}).status_code == 302


def test_people_are_deleted_only_when_suspended_and_nothing_of_theirs_runs(cast: Cast, scene: Scene) -> None:
    client, delete = cast.client("staff"), page_of(cast.alice, "delete")
    assert client.post(delete, {"post": "yes"}).status_code == 403
    accounts.suspend(user=cast.alice, by=cast.staff, reason="x")
    Generation.objects.update(status=Status.RUNNING)
    assert client.post(delete, {"post": "yes"}).status_code == 403
    Generation.objects.update(status=Status.STOPPED)
    confirm = client.get(delete).content.decode()
    assert "soup" not in confirm.lower()
    assert client.post(delete, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=cast.alice.pk).exists()
    assert not Conversation.objects.exists()
    assert Report.objects.count() == 2  # what was reported stays, with its text
    assert StaffAction.objects.filter(verb="delete").count() == 1
    assert audit.verify() is None


def test_the_audit_names_people_by_number_and_says_whose_while_they_are_here(
    cast: Cast, scene: Scene
) -> None:
    client = cast.client("staff")
    accounts.suspend(user=cast.alice, by=cast.staff, reason="x")
    client.get(page_of(scene.conversation, "change"))
    policy, _ = QuotaPolicy.objects.get_or_create(user=cast.alice, defaults={"tokens_per_day": 1})
    form = {"user": str(cast.alice.pk), "tokens_per_day": "7", "weight": "1", "running_limit": ""}
    assert client.post(page_of(policy, "change"), form).status_code == 302
    form = {"email": "alice@example.org", "display_name": "A", "is_active": "on"}
    assert client.post(page_of(cast.alice, "change"), form).status_code == 302
    rows = list(StaffAction.objects.exclude(verb="report dismissed"))
    assert sorted(row.verb for row in rows) == ["change", "change", "read conversation", "suspend"]
    for row in rows:
        result = f"{row.target} {row.detail}"
        assert str(cast.alice.pk) in result
        assert "alice" not in result.lower()

    listed = "/admin/core/staffaction/"
    with CaptureQueriesContext(connection) as few:
        page = client.get(listed).content.decode()
    assert page.count('<td class="field-people">alice@example.org</td>') == len(rows)
    for _ in range(20):
        client.get(page_of(scene.conversation, "change"))
    with CaptureQueriesContext(connection) as many:
        client.get(listed)
    assert len(many) == len(few)
    assert "alice@example.org" in client.get(f"{listed}{rows[0].pk}/change/").content.decode()
    accounts.delete_user(user=cast.alice, by=cast.staff)
    page = client.get(listed).content.decode()
    assert "alice@example.org" not in page
    assert 'data-chain="intact"' in page


# --- Reports ------------------------------------------------------------------------------------------------


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
