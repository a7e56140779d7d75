"""All conversations at once: asked first, gone for everybody, and open tabs hear of it."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from chat.conversations.bulk import BULK
from chat.conversations.models import Conversation
from chat.sharing.copying import create_share
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk
from tests.chat.turns.exchange import eventually, send

PAGE = "/settings/delete-conversations/"


def test_it_asks_first_and_counts(cast: Cast) -> None:
    talk(cast.alice, "one", "two")
    talk(cast.alice, "three")
    page = cast.client("alice").get(PAGE).content.decode()
    assert "You have 2 conversations." in page
    assert Conversation.objects.visible_to(cast.alice).count() == 2
    assert "You have no conversations." in cast.client("bob").get(PAGE).content.decode()


@pytest.mark.django_db(transaction=True)
def test_every_one_goes_wherever_it_stands_and_nobody_else_s(cast: Cast) -> None:
    kept = talk(cast.bob, "mine")
    for number in range(BULK + 5):
        talk(cast.alice, "q", title=f"T{number}")
    first, second = Conversation.objects.filter(owner=cast.alice)[:2]
    Conversation.objects.filter(pk=first.pk).update(archived=True)
    link = create_share(conversation=second, owner=cast.alice).get_absolute_url()
    assert Client().get(link).status_code == 200

    answer = cast.client("alice").post(PAGE, follow=True)
    assert f"{BULK + 5} conversations are deleted." in answer.content.decode()
    assert answer.redirect_chain == [("/settings/#data", 302)]
    assert not Conversation.objects.visible_to(cast.alice).exists()
    assert Client().get(link).status_code == 404
    assert cast.client("alice").get(first.get_absolute_url()).status_code == 404
    assert cast.client("bob").get(kept.get_absolute_url()).status_code == 200
    cast.alice.refresh_from_db()
    assert cast.alice.is_active


def test_anonymous_visitors_are_sent_to_log_in(db: None) -> None:
    assert Client().post(PAGE)["Location"].startswith("/accounts/login/")


def test_a_form_of_another_site_deletes_nothing(cast: Cast) -> None:
    talk(cast.alice, "one")
    forged = Client(enforce_csrf_checks=True)
    forged.force_login(cast.alice)
    assert forged.post(PAGE).status_code == 403
    assert Conversation.objects.visible_to(cast.alice).exists()


@pytest.mark.django_db(transaction=True)
async def test_a_reply_that_is_written_stops_and_the_tab_is_told(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("slow:400:20"))
    ack = await tab.until("ack")
    await tab.until("token")
    client = await sync_to_async(cast.client)("alice")
    assert (await sync_to_async(client.post)(PAGE)).status_code == 302
    while (frame := await tab.next())["type"] != "emptied":
        assert frame["type"] in {"token", "done", "message", "conversation"}, frame
    pk = ack["conversation"]["id"]
    await eventually(lambda: Conversation.objects.filter(pk=pk, messages__steps__status="stopped").exists())
