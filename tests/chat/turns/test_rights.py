"""Sockets follow the rights of their person: logout, suspension, foreign pages, what moderators hide."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from chat.accounts import services as accounts
from chat.conversations.lifecycle import delete_conversation
from chat.conversations.models import Message
from chat.conversations.titles import rename_conversation
from chat.moderation.deciding import decide
from chat.moderation.reporting import report_message
from chat.turns.models import Generation
from grokweb.asgi import application
from tests.chat.turns.exchange import asked_twice, eventually, send
from tests.chat.turns.tab import Tab, cookie_of

pytestmark = [pytest.mark.django_db(transaction=True)]


async def test_sockets_of_a_suspended_person_close(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    tab, other = await tabs("alice"), await tabs("bob")
    await tab.say(**send("slow:400:20"))
    await tab.until("token")
    await sync_to_async(accounts.suspend)(user=cast.alice, by=cast.staff, reason="spam")
    while (frame := await tab.next())["type"] != "close":
        pass
    assert frame["code"] == 4403
    await eventually(lambda: Generation.objects.filter(status="stopped").exists())
    await other.say(**send("bob goes on"))
    assert (await other.reply())[0] == "bob goes on"


async def test_a_logged_out_persons_socket_closes(tabs: Any, broker: Any, cast: Any) -> None:
    tab = await tabs("alice")
    await sync_to_async(cast.client("alice").logout)()
    assert await tab.next() == {
        "type": "close",
        "code": 4401,
    }  # the socket monitor checks every 3 s


async def test_a_session_ended_from_another_browser_closes_its_sockets_at_once(
    tabs: Any, broker: Any, cast: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only those of that session close; the socket monitor, which would close them later, waits here."""
    monkeypatch.setattr("chat.turns.socket_monitor.CHECK_SECONDS", 600)

    def elsewhere() -> Client:
        client = Client()
        client.force_login(cast.alice)
        client.get("/settings/")
        return client

    other = await sync_to_async(elsewhere)()
    tab = await tabs("alice")
    lost = Tab(cookie_of(other), settings.SITE_URLS[0])
    await lost.open()
    alice = await sync_to_async(cast.client)("alice")
    await sync_to_async(alice.post)("/settings/sessions/end-others/")
    assert await lost.next() == {"type": "close", "code": 4401}
    broker.start_worker()
    await tab.say(**send("still here"))
    assert (await tab.reply())[0] == "still here"
    assert (await sync_to_async(other.get)("/api/profile/")).status_code == 401


async def test_a_frame_counts_as_use_of_the_session(tabs: Any, broker: Any, cast: Any) -> None:
    tab = await tabs("alice")
    await sync_to_async(cast.client("alice").get)("/settings/")
    await sync_to_async(cache.clear)()  # the note of that visit has run out
    long_ago = timezone.now() - timedelta(days=1)
    seen = UserSession.objects.filter(user=cast.alice)
    assert await seen.aupdate(last_seen_at=long_ago) == 1
    broker.start_worker()
    await tab.say(**send("hello"))
    await tab.reply()
    assert (await seen.aget()).last_seen_at > long_ago


async def test_foreign_origins_and_anonymous_people_get_no_socket(tabs: Any, broker: Any) -> None:
    await tabs("anonymous")
    foreign = WebsocketCommunicator(application, "/ws/", headers=[(b"origin", b"https://evil.example")])
    assert (await foreign.connect())[0] is False
    elsewhere = WebsocketCommunicator(application, "/ws/elsewhere")
    assert (await elsewhere.connect())[0] is False


async def test_other_tabs_get_a_rename_a_deletion_and_a_hidden_message(
    tabs: Any, broker: Any, cast: Any
) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("say something"))
    ack = await tab.next()
    await tab.reply()
    message = await eventually(
        lambda: (
            Message.objects.filter(pk=ack["message_id"], status="complete")
            .select_related("conversation__owner")
            .first()
        )
    )
    await sync_to_async(rename_conversation)(conversation=message.conversation, title="Renamed")
    assert (await tab.until("conversation"))["conversation"]["title"] == "Renamed"
    report = await sync_to_async(report_message)(
        reporter=cast.alice, message=message, reason="harmful", note=""
    )
    await sync_to_async(decide)(report=report, by=cast.staff, action="hidden", note="")
    hidden = (await tab.until("message"))["message"]
    assert (hidden["hidden"], hidden["text"]) == (True, "")
    await sync_to_async(delete_conversation)(conversation=message.conversation)
    assert (await tab.until("conversation"))["deleted"] is True


async def hide(message: Message, cast: Any) -> None:
    report = await sync_to_async(report_message)(
        reporter=cast.alice, message=message, reason="harmful", note=""
    )
    await sync_to_async(decide)(report=report, by=cast.staff, action="hidden", note="")


async def test_a_hidden_question_is_not_answered(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    question, ack = await asked_twice(tab)
    await hide(question, cast)
    await eventually(lambda: Message.objects.filter(pk=ack["message_id"], status="stopped").exists())
    await tab.say(type="regenerate", message_id=ack["message_id"], client_id="third")
    while (frame := await tab.next())["type"] != "error":
        pass
    assert (frame["code"], frame["client_id"]) == ("bad_input", "third")
    assert "removed by a moderator" in frame["words"]
    assert await Generation.objects.acount() == 2
