"""A user deletes their account: what is removed, what stays, and when it is refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import mail
from django.db import connection
from django.db.models import CASCADE, SET_NULL
from django.test import Client
from pytest_django import Settings

from chat.account_deletion import services, tasks
from chat.account_deletion.models import DeletionJob
from chat.accounts import services as accounts
from chat.accounts.models import User
from chat.conversations.models import Message
from chat.core import audit
from chat.core.models import StaffAction
from chat.feedback.services import save_feedback
from chat.files import attaching, file_storage, uploading
from chat.files.models import File
from chat.moderation.models import Report
from chat.moderation.reporting import report_message
from chat.sharing.copying import create_share
from chat.turns import redis_client
from chat.turns.models import Generation, Status
from tests.chat.cast import PASSWORD, Cast
from tests.chat.conversations.building import talk
from tests.chat.turns.exchange import eventually, send
from tests.chat.turns.tab import Tab, cookie_of

PAGE = "/settings/delete-account/"
SECRET = "zanzibar"  # alice writes it everywhere


def request_deletion(client: Client, password: str = PASSWORD) -> Any:
    return client.post(PAGE, {"password": password})


def all_rows() -> str:
    """Returns all rows of all tables as text."""
    with connection.cursor() as cursor:
        rows = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            rows += [f"{table}: {row}" for row in cursor.fetchall()]
    return "\n".join(rows)


def stored_files() -> list[str]:
    kept = file_storage.storage()
    return [f"{folder}/{name}" for folder in kept.listdir("")[0] for name in kept.listdir(folder)[1]]


@pytest.fixture
def full(cast: Cast) -> Cast:
    """Alice with a row of every kind, and Bob beside her."""
    cast.alice.display_name = SECRET
    cast.alice.save()
    conversation = talk(cast.alice, f"{SECRET}?", f"{SECRET}!", title=SECRET)
    question, answer = conversation.messages.order_by("created_at")
    save_feedback(user=cast.alice, message=answer, value=-1, reason="wrong", note=SECRET)
    create_share(conversation=conversation, owner=cast.alice)
    content = io.BytesIO(SECRET.encode())
    attaching.attach(
        question, [uploading.store(owner=cast.alice, content=content, name=f"{SECRET}.txt", size=8)]
    )
    uploading.store(owner=cast.alice, content=io.BytesIO(b"unsent"), name="b.txt", size=6)
    Generation.objects.create(
        message=answer,
        user=cast.alice,
        model="scripted",
        client_id=uuid4().hex,
        seed=1,
        status=Status.COMPLETE,
    )
    person = ContentType.objects.get_for_model(User)
    LogEntry.objects.create(
        user=cast.staff, content_type=person, object_id=str(cast.alice.pk), object_repr="alice@example.org",
        action_flag=CHANGE,
    )  # fmt: skip
    talk(cast.bob, "what bob says")
    return cast


@pytest.mark.django_db(transaction=True)
def test_no_row_of_the_account_is_left(full: Cast) -> None:
    client, alice = full.client("alice"), full.alice.pk
    client.get("/")
    assert SECRET in all_rows()
    answer = request_deletion(client)
    assert answer.status_code == 200
    assert "Your account is deleted" in answer.content.decode()
    assert "alice@example.org" not in all_rows()  # at once
    assert client.get("/api/profile/").status_code == 401

    tasks.delete_account(str(alice))
    left = all_rows()
    assert SECRET not in left
    assert str(alice) not in left.replace(f"user:{alice}", "")  # the audit's line has the number
    assert alice.hex not in left
    assert not DeletionJob.objects.exists()
    assert not File.objects.exists()
    assert Message.objects.get().text == "what bob says"
    assert full.client("bob").get("/api/profile/").status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL clears freed space when it vacuums")
def test_deleted_text_is_overwritten_in_the_database_file(full: Cast) -> None:
    def is_in_the_file() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA secure_delete")
            assert cursor.fetchone() == (1,)  # some builds of SQLite have it by themselves, others do not
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            assert cursor.fetchone()[0] == 0, "somebody else reads"
        return SECRET.encode() in Path(connection.settings_dict["NAME"]).read_bytes().lower()

    assert is_in_the_file()
    request_deletion(full.client("alice"))
    tasks.delete_account(str(full.alice.pk))
    assert not is_in_the_file()


@pytest.mark.django_db(transaction=True)
def test_stored_files_are_deleted(full: Cast) -> None:
    names = set(File.objects.values_list("stored", flat=True))
    assert names <= set(stored_files())
    request_deletion(full.client("alice"))
    tasks.delete_account(str(full.alice.pk))
    assert not names & set(stored_files())


def test_the_audit_names_the_account_by_number_only(full: Cast) -> None:
    request_deletion(full.client("alice"))
    tasks.run_account_deletions()
    row = StaffAction.objects.get(verb="delete own account")
    assert (row.actor, row.actor_email, row.detail) == (None, "system", {})
    assert row.target == f"user:{full.alice.pk}"
    assert audit.verify() is None


def test_actions_of_staff_stay_in_the_audit_after_their_account(full: Cast) -> None:
    accounts.suspend(user=full.bob, by=full.staff, reason="because")
    accounts.create_user(email="next@example.org", password=PASSWORD, is_superuser=True)
    assert request_deletion(full.client("staff")).status_code == 200
    tasks.run_account_deletions()
    assert not User.objects.filter(pk=full.staff.pk).exists()
    deed = StaffAction.objects.get(verb="suspend")
    assert (deed.actor, deed.actor_email) == (None, "staff@example.org")
    assert audit.verify() is None


def test_reports_stay_without_the_names(full: Cast) -> None:
    message = Message.objects.filter(text=f"{SECRET}!").get()
    report_message(reporter=full.alice, message=message, reason="wrong", note="")
    request_deletion(full.client("alice"))
    tasks.run_account_deletions()
    report = Report.objects.get()
    assert (report.reporter, report.author, report.text) == (None, None, f"{SECRET}!")


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD.upper()])
def test_the_password_is_required(full: Cast, password: Any) -> None:
    answer = request_deletion(full.client("alice"), password)
    assert answer.status_code == 400
    assert not DeletionJob.objects.exists()
    assert full.client("alice").get("/api/profile/").json()["email"] == "alice@example.org"


def test_guesses_of_the_password_are_throttled(full: Cast) -> None:
    client = full.client("alice")
    for _ in range(services.TRIES_AN_HOUR):
        assert request_deletion(client, "wrong").status_code == 400
    assert request_deletion(client).status_code == 429
    assert User.objects.get(pk=full.alice.pk).is_active


def test_a_form_of_another_site_is_refused(full: Cast) -> None:
    forged = Client(enforce_csrf_checks=True)
    forged.force_login(full.alice)
    assert request_deletion(forged).status_code == 403
    assert request_deletion(Client())["Location"].startswith("/accounts/login/")
    assert User.objects.get(pk=full.alice.pk).is_active


def test_the_last_administrator_is_refused(cast: Cast) -> None:
    cast.client("staff").get("/")
    page = cast.client("staff").get(PAGE).content.decode()
    assert "You are the only administrator." in page
    assert 'type="password"' not in page
    assert request_deletion(cast.client("staff")).status_code == 403
    second = accounts.create_user(email="second@example.org", password=PASSWORD, is_superuser=True)
    accounts.suspend(user=second, by=cast.staff, reason="away")  # could not run the site
    assert request_deletion(cast.client("staff")).status_code == 403
    accounts.lift_suspension(user=second, by=cast.staff)
    assert request_deletion(cast.client("staff")).status_code == 200
    tasks.run_account_deletions()
    client = Client()
    client.force_login(User.objects.get(pk=second.pk))
    assert request_deletion(client).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_the_address_can_be_used_again_at_once(cast: Cast, client: Client) -> None:
    request_deletion(cast.client("alice"))
    form = {"email": "alice@example.org", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post("/accounts/signup/", form).status_code == 302
    new = User.objects.get(email="alice@example.org")
    assert new.pk != cast.alice.pk
    tasks.run_account_deletions()
    assert client.get("/api/profile/").json()["id"] == str(new.pk)


def test_nobody_logs_in_to_a_deleted_account(cast: Cast, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    request_deletion(cast.client("alice"))
    client = Client()
    client.post("/accounts/login/", {"login": "alice@example.org", "password": PASSWORD})
    assert client.get("/api/profile/").status_code == 401
    client.post("/accounts/password/reset/", {"email": f"{cast.alice.pk.hex}@gone.invalid"})
    assert not [sent for sent in mail.outbox if "password/reset/key" in sent.body]


def test_only_requested_deletions_run(full: Cast) -> None:
    tasks.delete_account(str(full.alice.pk))
    tasks.delete_account(str(uuid4()))
    tasks.run_account_deletions()
    assert User.objects.filter(pk=full.alice.pk).exists()
    assert SECRET in all_rows()


@pytest.mark.django_db(transaction=True)
async def test_replies_being_written_stop_first(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    tab, phone, bob = await tabs("alice"), await tabs("alice"), await tabs("bob")
    await tab.say(**send(f"slow:400:20 {SECRET}"))
    generation = (await tab.until("ack"))["generation_id"]
    await tab.until("token")
    await bob.say(**send("slow:40:20"))
    client = await sync_to_async(cast.client)("alice")
    cookie = cookie_of(client)
    assert (await sync_to_async(request_deletion)(client)).status_code == 200
    for each in (tab, phone):
        while (frame := await each.next())["type"] != "close":
            pass
        assert frame["code"] == 4401
    again = Tab(cookie, "http://localhost:8000")
    assert (await again.open())["code"] == 4401
    await again.socket.disconnect()

    def is_deleted() -> bool:
        tasks.run_account_deletions()
        return not User.objects.filter(pk=cast.alice.pk).exists()

    await eventually(is_deleted)
    redis = redis_client.client()
    assert not [
        key for key in redis.scan_iter("*") if cast.alice.pk.hex in key or key.endswith(f"log:{generation}")
    ]
    for key in redis.scan_iter("*gen:*"):
        assert SECRET not in str(redis.hgetall(key))
    text, done = await bob.reply()
    assert text.split()[-1] == "w40"
    assert done["status"] == "complete"
    assert SECRET not in await sync_to_async(all_rows)()


def test_rows_stay_until_live_replies_are_settled(full: Cast) -> None:
    Generation.objects.update(status=Status.RUNNING)
    request_deletion(full.client("alice"))
    tasks.run_account_deletions()
    assert DeletionJob.objects.exists()
    assert Message.objects.filter(text=f"{SECRET}!").exists()
    assert Generation.objects.get().stop_requested_at is not None
    Generation.objects.update(status=Status.STOPPED)
    tasks.run_account_deletions()
    assert not DeletionJob.objects.exists()


def test_the_address_of_an_older_release_leads_to_the_page(cast: Cast) -> None:
    assert cast.client("alice").get("/settings/leave/")["Location"] == PAGE


def test_a_job_queued_by_an_older_release_runs(full: Cast) -> None:
    request_deletion(full.client("alice"))
    tasks.finish_departure(str(full.alice.pk))
    assert not User.objects.filter(pk=full.alice.pk).exists()


@pytest.mark.parametrize(
    "relation", User._meta.related_objects, ids=lambda each: each.related_model._meta.label
)
def test_no_foreign_key_prevents_the_deletion_of_an_account(relation: Any) -> None:
    """Every table must cascade or set null, or the deletion of an account with a row in it would fail."""
    assert getattr(relation, "on_delete", CASCADE) in {CASCADE, SET_NULL}
