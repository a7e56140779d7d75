"""A person deletes their account: what goes, what stays, and who must not go."""

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

from chat.accounts import services as accounts
from chat.accounts.models import User
from chat.conversations.models import Message
from chat.core import audit
from chat.core.models import StaffAction
from chat.feedback.services import judge
from chat.files import services as files
from chat.files.models import File
from chat.leaving import services, tasks
from chat.leaving.models import Departure
from chat.moderation.models import Report
from chat.moderation.services import report_message
from chat.sharing.services import create_share
from chat.turns import port
from chat.turns.models import Generation, Status
from tests.chat.conftest import PASSWORD
from tests.chat.conversations.building import talk
from tests.chat.turns.conftest import Tab, cookie_of
from tests.chat.turns.test_socket import eventually, send

PAGE = "/settings/leave/"
SECRET = "zanzibar"  # alice writes it everywhere


def go(client: Client, password: str = PASSWORD):
    return client.post(PAGE, {"password": password})


def everything() -> str:
    """All rows of all tables."""
    with connection.cursor() as cursor:
        rows = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            rows += [f"{table}: {row}" for row in cursor.fetchall()]
    return "\n".join(rows)


def stored_files() -> list[str]:
    kept = files.storage()
    return [f"{folder}/{name}" for folder in kept.listdir("")[0] for name in kept.listdir(folder)[1]]


@pytest.fixture
def full(cast):
    """alice with something of every kind; bob beside her."""
    cast.alice.display_name = SECRET
    cast.alice.save()
    conversation = talk(cast.alice, f"{SECRET}?", f"{SECRET}!", title=SECRET)
    question, answer = conversation.messages.order_by("created_at")
    judge(person=cast.alice, message=answer, value=-1, reason="wrong", note=SECRET)
    create_share(conversation=conversation, owner=cast.alice)
    content = io.BytesIO(SECRET.encode())
    files.attach(question, [files.keep(owner=cast.alice, content=content, name=f"{SECRET}.txt", size=8)])
    files.keep(owner=cast.alice, content=io.BytesIO(b"unsent"), name="b.txt", size=6)
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
def test_nothing_of_them_is_left(full):
    client, alice = full.client("alice"), full.alice.pk
    client.get("/")
    assert SECRET in everything()
    answer = go(client)
    assert answer.status_code == 200
    assert "Your account is deleted" in answer.content.decode()
    assert "alice@example.org" not in everything()  # at once
    assert client.get("/api/profile/").status_code == 401

    tasks.finish_departure(str(alice))
    left = everything()
    assert SECRET not in left
    assert str(alice) not in left.replace(f"user:{alice}", "")  # the audit's line has the number
    assert alice.hex not in left
    assert not Departure.objects.exists()
    assert not File.objects.exists()
    assert Message.objects.get().text == "what bob says"
    assert full.client("bob").get("/api/profile/").status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL clears freed space when it vacuums")
def test_what_was_deleted_cannot_be_dug_out_of_the_database_s_file(full):
    def dug() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA secure_delete")
            assert cursor.fetchone() == (1,)  # some builds of SQLite have it by themselves, others do not
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            assert cursor.fetchone()[0] == 0, "somebody else reads"
        return SECRET.encode() in Path(connection.settings_dict["NAME"]).read_bytes().lower()

    assert dug()
    go(full.client("alice"))
    tasks.finish_departure(str(full.alice.pk))
    assert not dug()


@pytest.mark.django_db(transaction=True)
def test_the_bytes_of_files_go_too(full):
    theirs = set(File.objects.values_list("stored", flat=True))
    assert theirs <= set(stored_files())
    go(full.client("alice"))
    tasks.finish_departure(str(full.alice.pk))
    assert not theirs & set(stored_files())


def test_the_audit_says_that_somebody_left_and_not_who(full):
    go(full.client("alice"))
    tasks.sweep_departures()
    row = StaffAction.objects.get(verb="leave")
    assert (row.actor, row.actor_email, row.detail) == (None, "system", {})
    assert row.target == f"user:{full.alice.pk}"
    assert audit.verify() is None


def test_a_member_of_staff_leaves_and_their_deeds_stay(full):
    accounts.suspend(user=full.bob, by=full.staff, reason="because")
    accounts.create_user(email="next@example.org", password=PASSWORD, is_superuser=True)
    assert go(full.client("staff")).status_code == 200
    tasks.sweep_departures()
    assert not User.objects.filter(pk=full.staff.pk).exists()
    deed = StaffAction.objects.get(verb="suspend")
    assert (deed.actor, deed.actor_email) == (None, "staff@example.org")
    assert audit.verify() is None


def test_reports_stay_without_a_name(full):
    message = Message.objects.filter(text=f"{SECRET}!").get()
    report_message(reporter=full.alice, message=message, reason="wrong", note="")
    go(full.client("alice"))
    tasks.sweep_departures()
    report = Report.objects.get()
    assert (report.reporter, report.author, report.text) == (None, None, f"{SECRET}!")


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD.upper()])
def test_only_with_the_password(full, password):
    answer = go(full.client("alice"), password)
    assert answer.status_code == 400
    assert not Departure.objects.exists()
    assert full.client("alice").get("/api/profile/").json()["email"] == "alice@example.org"


def test_guessing_the_password_is_bounded(full):
    client = full.client("alice")
    for _ in range(services.TRIES_AN_HOUR):
        assert go(client, "wrong").status_code == 400
    assert go(client).status_code == 429
    assert User.objects.get(pk=full.alice.pk).is_active


def test_a_form_of_another_site_deletes_nobody(full):
    forged = Client(enforce_csrf_checks=True)
    forged.force_login(full.alice)
    assert go(forged).status_code == 403
    assert go(Client())["Location"].startswith("/accounts/login/")
    assert User.objects.get(pk=full.alice.pk).is_active


def test_the_last_administrator_stays(cast):
    cast.client("staff").get("/")
    page = cast.client("staff").get(PAGE).content.decode()
    assert "You are the only administrator." in page
    assert 'type="password"' not in page
    assert go(cast.client("staff")).status_code == 403
    second = accounts.create_user(email="second@example.org", password=PASSWORD, is_superuser=True)
    accounts.suspend(user=second, by=cast.staff, reason="away")  # could not run the site
    assert go(cast.client("staff")).status_code == 403
    accounts.lift_suspension(user=second, by=cast.staff)
    assert go(cast.client("staff")).status_code == 200
    tasks.sweep_departures()
    client = Client()
    client.force_login(User.objects.get(pk=second.pk))
    assert go(client).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_the_address_is_free_at_once(cast, client):
    go(cast.client("alice"))
    form = {"email": "alice@example.org", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post("/accounts/signup/", form).status_code == 302
    new = User.objects.get(email="alice@example.org")
    assert new.pk != cast.alice.pk
    tasks.sweep_departures()
    assert client.get("/api/profile/").json()["id"] == str(new.pk)


def test_nobody_logs_in_as_somebody_who_left(cast, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    go(cast.client("alice"))
    client = Client()
    client.post("/accounts/login/", {"login": "alice@example.org", "password": PASSWORD})
    assert client.get("/api/profile/").status_code == 401
    client.post("/accounts/password/reset/", {"email": f"{cast.alice.pk.hex}@gone.invalid"})
    assert not [sent for sent in mail.outbox if "password/reset/key" in sent.body]


def test_only_those_who_asked_are_removed(full):
    tasks.finish_departure(str(full.alice.pk))
    tasks.finish_departure(str(uuid4()))
    tasks.sweep_departures()
    assert User.objects.filter(pk=full.alice.pk).exists()
    assert SECRET in everything()


@pytest.mark.django_db(transaction=True)
async def test_what_is_being_written_stops_first(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    tab, phone, bob = await tabs("alice"), await tabs("alice"), await tabs("bob")
    await tab.say(**send(f"slow:400:20 {SECRET}"))
    generation = (await tab.until("ack"))["generation_id"]
    await tab.until("token")
    await bob.say(**send("slow:40:20"))
    client = await sync_to_async(cast.client)("alice")
    cookie = cookie_of(client)
    assert (await sync_to_async(go)(client)).status_code == 200
    for each in (tab, phone):
        while (frame := await each.next())["type"] != "close":
            pass
        assert frame["code"] == 4401
    again = Tab(cookie, "http://localhost:8000")
    assert (await again.open())["code"] == 4401
    await again.socket.disconnect()

    def gone() -> bool:
        tasks.sweep_departures()
        return not User.objects.filter(pk=cast.alice.pk).exists()

    await eventually(gone)
    redis = port.client()
    assert not [
        key for key in redis.scan_iter("*") if cast.alice.pk.hex in key or key.endswith(f"log:{generation}")
    ]
    for key in redis.scan_iter("*gen:*"):
        assert SECRET not in str(redis.hgetall(key))
    text, done = await bob.reply()
    assert text.split()[-1] == "w40"
    assert done["status"] == "complete"
    assert SECRET not in await sync_to_async(everything)()


def test_a_reply_that_nobody_stops_keeps_the_rows(full):
    Generation.objects.update(status=Status.RUNNING)
    go(full.client("alice"))
    tasks.sweep_departures()
    assert Departure.objects.exists()
    assert Message.objects.filter(text=f"{SECRET}!").exists()
    assert Generation.objects.get().stop_requested_at is not None
    Generation.objects.update(status=Status.STOPPED)
    tasks.sweep_departures()
    assert not Departure.objects.exists()


@pytest.mark.parametrize(
    "relation", User._meta.related_objects, ids=lambda each: each.related_model._meta.label
)
def test_nothing_that_points_at_a_person_keeps_them_here(relation):
    """A model to come must go with its person or forget them, or leaving would fail for who has one."""
    assert getattr(relation, "on_delete", CASCADE) in {CASCADE, SET_NULL}
