"""Tabs say whether they are visible; a settled reply is queued for people with notifications."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async

from chat.push import keys, notifying
from chat.push.models import PushDevice
from chat.turns import visible_tabs
from chat.turns.models import Generation
from inference.contract import JOBS_QUEUE
from inference.settings import REDIS_PREFIX
from tests.chat.turns.exchange import asked, eventually, send

pytestmark = pytest.mark.django_db(transaction=True)


async def until_visible(user: Any, expected: bool) -> None:
    await eventually(lambda: visible_tabs.is_any(user.pk) is expected)


def queued(held: redis.Redis) -> list[str]:
    return [
        json.loads(each)["headers"]["task"]
        for each in held.lrange(f"{REDIS_PREFIX}:celery:{JOBS_QUEUE}", 0, -1)
    ]


async def test_a_person_is_looking_while_one_of_their_tabs_is_visible(tabs: Any, cast: Any) -> None:
    first, second = await tabs("alice"), await tabs("alice")
    await until_visible(cast.alice, False)  # a tab that said nothing
    await first.say(type="visible", visible=True)
    await until_visible(cast.alice, True)
    await second.say(type="visible", visible=True)
    await first.say(type="visible", visible=False)
    await first.say(type="resume", message_id="00000000-0000-4000-8000-000000000000")
    await first.until_error()  # what it said before has been handled
    await until_visible(cast.alice, True)
    assert not await sync_to_async(visible_tabs.is_any)(cast.bob.pk)
    await second.socket.disconnect()
    await until_visible(cast.alice, False)


async def test_a_tab_whose_process_died_is_forgotten(tabs: Any, cast: Any, redis_client: redis.Redis) -> None:
    tab = await tabs("alice")
    await tab.say(type="visible", visible=True)
    await until_visible(cast.alice, True)
    sockets = f"{REDIS_PREFIX}:sockets:{cast.alice.pk}"
    names: Any = redis_client.zrange(sockets, 0, -1)
    (name,) = names
    redis_client.zadd(sockets, {name: int(redis_client.time()[0]) - 60})
    await until_visible(cast.alice, False)


async def test_an_answer_is_queued_for_people_with_notifications_alone(
    tabs: Any, broker: Any, cast: Any, settings: Any, redis_client: redis.Redis
) -> None:
    settings.PUSH_KEY = keys.generate()
    broker.start_worker()
    alice, bob = await tabs("alice"), await tabs("bob")
    await PushDevice.objects.acreate(
        user=cast.alice, session_key="s", endpoint="https://push.example.net/", p256dh="", auth=""
    )
    await asked(bob, "one")
    await asked(alice, "two")
    await eventually(lambda: queued(redis_client) == [notifying.NOTIFY_TASK])
    await alice.say(**send("raise:"))
    ack = await alice.until("ack")
    await alice.until("done")
    await eventually(lambda: Generation.objects.filter(pk=ack["generation_id"], status="failed").exists())
    assert queued(redis_client) == [notifying.NOTIFY_TASK]
