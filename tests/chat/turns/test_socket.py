"""The websocket as a person uses it: asking, watching, stopping, and every refusal."""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.db import connection
from django.db.models.functions import Now
from django.test import Client, override_settings
from django.utils import timezone

from chat.accounts import services as accounts
from chat.conversations.lifecycle import delete_conversation
from chat.conversations.models import Conversation, Message
from chat.conversations.titles import rename_conversation
from chat.model_cards.models import ModelCard
from chat.moderation.models import Rule
from chat.moderation.services import decide, report_message
from chat.quotas.models import QuotaPolicy, UsageCounter, UsageEntry
from chat.turns import connection as sockets
from chat.turns import consumers, events
from chat.turns.models import Generation
from chat.turns.outbox import Outbox
from chat.turns.socket_monitor import socket_monitor
from chat.turns.tasks import reconcile
from grokweb.asgi import application
from inference.contract import Piece
from tests.chat.turns.exchange import eventually, send
from tests.chat.turns.tab import Tab, cookie_of

pytestmark = [pytest.mark.django_db(transaction=True)]


async def test_tokens_arrive_in_order_and_the_text_is_saved_with_no_browser_open(
    tabs: Any, broker: Any
) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("slow:12:5", ref="r1"))
    ack = await tab.next()
    assert ack["type"] == "ack"
    assert ack["ref"] == "r1"
    assert [m["role"] for m in ack["messages"]] == ["user", "assistant"]
    text, done = await tab.reply()
    assert text == " ".join(f"w{n}" for n in range(1, 13))
    assert (done["status"], done["seq"], done["length"]) == ("complete", 12, len(text))
    assert done["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    saved = await eventually(lambda: Message.objects.filter(pk=ack["message_id"], status="complete").first())
    assert saved.text == text
    entry = await eventually(lambda: UsageEntry.objects.exclude(settled_at=None).first())
    assert entry.completion_tokens == 12
    assert (await UsageCounter.objects.aget()).reserved == 0


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no pool of connections")
async def test_sockets_return_their_database_connections_to_the_pool(tabs: Any, broker: Any) -> None:
    def lent() -> int:
        stats = connection.pool.get_stats()  # type: ignore[attr-defined]
        return stats["pool_size"] - stats["pool_available"]

    before = lent()
    broker.start_worker()
    for tab in [await tabs("alice"), await tabs("bob")]:
        await tab.say(**send("hello"))
        await tab.reply()
    deadline = asyncio.get_running_loop().time() + 10
    while lent() > before:
        assert asyncio.get_running_loop().time() < deadline, f"{lent()} lent, {before} before"
        await asyncio.sleep(0.05)


async def test_a_second_tab_sees_the_same_stream_and_a_reload_goes_on(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    first, second = await tabs("alice"), await tabs("alice")
    await first.say(**send("slow:40:10"))
    ack = await first.next()
    told = await second.until("message")
    assert told["message"]["role"] == "user"
    await second.say(type="resume", message_id=ack["message_id"], after=0)
    part = await first.until("token")
    reloaded = await tabs("alice")
    await reloaded.say(type="resume", message_id=ack["message_id"], after=part["seq"])
    whole, _ = await second.reply()
    assert whole == " ".join(f"w{n}" for n in range(1, 41))
    rest = await reloaded.until("token")
    assert rest["after"] == part["seq"]


async def test_a_settled_reply_is_resumed_from_its_row(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("one two"))
    ack = await tab.next()
    await tab.reply()
    await eventually(lambda: Message.objects.filter(pk=ack["message_id"], status="complete").exists())
    await tab.say(type="resume", message_id=ack["message_id"], after=1)
    frame = await tab.until("message")
    assert frame["message"]["text"] == "one two"
    assert (await tab.next())["status"] == "complete"


async def test_the_same_client_id_is_one_message(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    frame = send("hello there")
    await tab.say(**frame)
    first = await tab.next()
    await tab.reply()
    await tab.say(**frame)
    again = await tab.until("ack")
    assert again["message_id"] == first["message_id"]
    assert await Generation.objects.acount() == 1


async def test_stop_while_running_keeps_what_was_written(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("slow:500:20"))
    ack = await tab.next()
    seen = (await tab.until("token"))["text"]
    await tab.say(type="stop", message_id=ack["message_id"])
    while True:
        frame = await tab.next()
        if frame["type"] == "done":
            break
        seen += frame["text"]
    assert frame["status"] == "stopped"
    assert 0 < frame["seq"] < 100
    saved = await eventually(lambda: Message.objects.filter(pk=ack["message_id"], status="stopped").first())
    assert saved.text == seen


async def test_a_waiting_reply_gets_its_position_and_can_be_stopped(tabs: Any, broker: Any) -> None:
    tab = await tabs("alice")  # nobody runs the model
    await tab.say(**send("hello"))
    ack = await tab.next()
    place = await tab.until("queued")
    assert place["position"] == 0
    await tab.say(type="stop", message_id=ack["message_id"])
    done = await tab.until("done")
    assert (done["status"], done["seq"]) == ("stopped", 0)
    await eventually(lambda: Generation.objects.filter(status="stopped").exists())


async def test_a_person_who_waits_gets_the_position_in_the_queue(tabs: Any, broker: Any) -> None:
    broker.start_worker(slots=1)
    alice, bob = await tabs("alice"), await tabs("bob")
    await alice.say(**send("slow:400:10"))
    await alice.until("token")
    await bob.say(**send("hello"))
    await bob.next()
    assert (await bob.until("queued"))["position"] == 1


async def test_a_second_answer_beside_the_first(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("hello again"))
    ack = await tab.next()
    await tab.reply()
    await eventually(lambda: Message.objects.filter(pk=ack["message_id"], status="complete").exists())
    await tab.say(type="regenerate", message_id=ack["message_id"], client_id="again")
    second = await tab.until("ack")
    assert second["message_id"] != ack["message_id"]
    assert second["messages"][0]["parent"] == ack["messages"][0]["id"]
    text, _ = await tab.reply()
    assert text == "hello again"


async def test_a_following_question_has_its_history_in_the_prompt(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("first"))
    ack = await tab.next()
    await tab.reply()
    await eventually(lambda: Message.objects.filter(pk=ack["message_id"], status="complete").exists())
    await tab.say(**send("second", ack["conversation"]["id"], ack["message_id"]))
    await tab.until("ack")
    text, done = await tab.reply()
    assert text == "second"
    assert done["usage"]["prompt_tokens"] == 3  # first, first, second


BAD_FRAMES = [
    ("{", "bad_frame"),
    ("[]", "bad_frame"),
    ('"text"', "bad_frame"),
    ("{}", "bad_frame"),
    ('{"type": 7}', "bad_frame"),
    ('{"type": "dance"}', "bad_frame"),
    ("[" * 60_000, "bad_frame"),
    ('{"type": "stop", "message_id": "no"}', "bad_frame"),
    ('{"type": "stop"}', "bad_frame"),
    (json.dumps({"type": "resume", "message_id": str(uuid.uuid4()), "after": -1}), "bad_frame"),
    (json.dumps({"type": "resume", "message_id": str(uuid.uuid4()), "after": True}), "bad_frame"),
    ('{"type": "send", "content": "", "client_id": "a"}', "bad_input"),
    ('{"type": "send", "content": "  \\n ", "client_id": "a"}', "bad_input"),
    ('{"type": "send", "content": 5, "client_id": "a"}', "bad_input"),
    ('{"type": "send", "content": "nul\\u0000", "client_id": "a"}', "bad_input"),
    ('{"type": "send", "content": "half \\ud800", "client_id": "a"}', "bad_input"),
    ('{"type": "nope", "ref": "\\ud800"}', "bad_input"),
    ('{"type": "send", "content": "x", "client_id": "\\ud800"}', "bad_input"),
    ('{"type": "send", "content": "x", "client_id": "a", "ref": {"deep": NaN}}', "bad_frame"),
    (json.dumps({"type": "send", "content": "x", "client_id": "a", "ref": "r" * 65}), "bad_frame"),
    ('{"type": "send", "content": "x", "client_id": ""}', "bad_input"),
    (json.dumps({"type": "send", "content": "x", "client_id": "c" * 65}), "bad_input"),
    ('{"type": "send", "content": "x"}', "bad_frame"),
    (json.dumps({"type": "send", "content": "long " * 1000, "client_id": "a"}), "too_long"),
]


async def test_bad_frames_get_a_clear_answer_and_the_next_message_works(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    for text, code in BAD_FRAMES:
        await tab.socket.send_to(text_data=text)
        error = await tab.next()
        assert (error["type"], error["code"]) == ("error", code), (text[:80], error)
        assert error["words"]
    await tab.socket.send_to(bytes_data=b"\x00\xff")
    assert (await tab.next())["code"] == "bad_frame"
    assert not await Conversation.objects.aexists()
    assert not await UsageEntry.objects.aexists()
    await tab.say(**send("still here"))
    await tab.until("ack")
    assert (await tab.reply())[0] == "still here"


async def test_a_socket_that_breaks_leaves_nothing_behind(
    tabs: Any, broker: Any, cast: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: Any) -> None:
        raise RuntimeError("broken")

    left: list[str] = []
    layer = get_channel_layer()
    discard = layer.group_discard

    async def noted(group: str, channel: str) -> None:
        left.append(group)
        await discard(group, channel)

    monkeypatch.setattr(layer, "group_discard", noted, raising=False)
    tab = Tab(cookie_of(await sync_to_async(cast.client)("alice")), settings.SITE_URLS[0])
    await tab.open()
    assert socket_monitor().sockets_of(cast.alice.pk) == 1
    monkeypatch.setattr(consumers.ChatConsumer, "_send_error", breaks)
    await tab.say(type="dance")
    with pytest.raises(RuntimeError, match="broken"):
        await tab.socket.wait(timeout=10)
    assert socket_monitor().sockets_of(cast.alice.pk) == 0
    assert left == [events.group(cast.alice.pk)]


async def test_a_flood_over_two_tabs_is_refused_and_nobody_else_is(
    tabs: Any, broker: Any, settings: Any
) -> None:
    settings.PERSON_RATE = 5
    tab, other = await tabs("alice"), await tabs("alice")
    for _ in range(40):
        await tab.socket.send_to(text_data="{}")
        await other.socket.send_to(text_data="{}")
    answers: list[Any] = []
    while not answers or answers[-1]["code"] != "too_many":
        answers.append(await tab.next())
    assert len(answers) <= 50, "a person's burst, not a socket's"
    assert answers[-1]["retry_after"] >= 1
    bob = await tabs("bob")
    await bob.socket.send_to(text_data="{}")
    assert (await bob.next())["code"] == "bad_frame"


async def test_foreign_and_unknown_ids_get_the_same_answer(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    alice, bob = await tabs("alice"), await tabs("bob")
    await alice.say(**send("secret words"))
    ack = await alice.next()
    await alice.reply()
    await eventually(lambda: Message.objects.filter(pk=ack["message_id"], status="complete").exists())
    unknown = str(uuid.uuid4())
    for conversation, message in [(ack["conversation"]["id"], ack["message_id"]), (unknown, unknown)]:
        for frame in [
            send("x", conversation),
            send("x", None, message),
            {"type": "resume", "message_id": message, "after": 0},
            {"type": "stop", "message_id": message},
            {"type": "regenerate", "message_id": message, "client_id": "r" + message[:8]},
        ]:
            await bob.say(**frame)
            error = await bob.next()
            assert (error["type"], error["code"]) == ("error", "not_found"), (frame, error)
            assert error["words"] == "That does not exist, or it is not yours."
    assert await Conversation.objects.acount() == 1


async def test_a_parent_must_be_an_answer_of_the_same_conversation(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    acks = []
    for words in ("one", "two"):
        await tab.say(**send(words))
        acks.append(await tab.until("ack"))
        await tab.reply()
    await eventually(lambda: Message.objects.filter(status="complete", role="assistant").count() == 2)
    await tab.say(**send("x", acks[0]["conversation"]["id"], acks[1]["message_id"]))
    assert (await tab.next())["code"] == "bad_input"
    await tab.say(**send("x", acks[0]["conversation"]["id"], acks[0]["messages"][0]["id"]))
    assert (await tab.next())["code"] == "bad_input"


async def test_no_second_question_while_the_reply_is_written(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("slow:300:20"))
    ack = await tab.next()
    await tab.say(**send("x", ack["conversation"]["id"], ack["message_id"], ref="second"))
    while (frame := await tab.next())["type"] in {"token", "queued"}:
        pass
    assert (frame["code"], frame["ref"]) == ("busy", "second")


async def test_a_full_queue_stores_nothing(tabs: Any, broker: Any) -> None:
    alice, bob = await tabs("alice"), await tabs("bob")
    stranger = await tabs("stranger")
    with override_settings(QUEUE_LIMIT=1):
        await alice.say(**send("waits"))
        await alice.until("ack")
        await alice.say(**send("no room"))
        assert (await alice.until_error())["code"] == "queue_full"
        await bob.say(**send("has none yet"))  # whoever fills the queue keeps nobody out alone
        await bob.until("ack")
        await stranger.say(**send("no room"))
        error = await stranger.until_error()
    assert error["code"] == "queue_full"
    assert error["retry_after"] > 0
    assert await Message.objects.filter(text="no room").acount() == 0
    assert await Conversation.objects.acount() == 2


async def test_a_groups_limit_holds_a_second_reply_back_and_nobody_else(
    tabs: Any, broker: Any, cast: Any
) -> None:
    group = await Group.objects.acreate(name="students")
    await cast.alice.groups.aadd(group)
    await QuotaPolicy.objects.acreate(group=group, tokens_per_day=100_000, running_limit=1)
    broker.start_worker(slots=4)
    alice, other, bob = await tabs("alice"), await tabs("alice"), await tabs("bob")
    await alice.say(**send("slow:500:50"))
    first = await alice.until("ack")
    await alice.until("token")
    await other.say(**send("the second"))
    assert (await other.until("queued"))["position"] == 1
    await bob.say(**send("hello"))
    assert (await bob.reply())[0] == "hello"
    await alice.say(type="stop", message_id=first["message_id"])
    frame = await other.until("token")  # the place is free, so the second runs
    assert frame["after"] == 0


async def test_the_quota_a_person_runs_into(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    await QuotaPolicy.objects.acreate(user=cast.alice, tokens_per_day=40)
    tab = await tabs("alice")
    await tab.say(**send("slow:30:1"))
    await tab.until("ack")
    text, _ = await tab.reply()
    await eventually(lambda: UsageCounter.objects.filter(reserved=0).exists())
    await tab.say(**send("more"))
    error = await tab.next()
    assert error["code"] == "quota_exceeded"
    assert "40" in error["words"]
    assert await Message.objects.filter(text="more").acount() == 0


async def test_a_blocked_pattern_refuses_the_prompt_at_once(tabs: Any, broker: Any) -> None:
    tab = await tabs("alice")
    await Rule.objects.acreate(
        name="b", options={"pattern": "forbidden (word|phrase)"}, words="Not here, please."
    )
    await tab.say(**send("a FORBIDDEN word"))
    error = await tab.next()
    assert (error["code"], error["words"]) == ("refused", "Not here, please.")
    assert not await Message.objects.aexists()


async def test_a_question_that_is_forbidden_by_now_is_not_asked_again(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("hello word"))
    ack = await tab.next()
    await tab.reply()
    await eventually(lambda: Message.objects.filter(pk=ack["message_id"], status="complete").exists())
    await Rule.objects.acreate(name="b", options={"pattern": "hello"}, words="Not here, please.")
    await tab.say(type="regenerate", message_id=ack["message_id"], client_id="again")
    error = await tab.next()
    assert (error["code"], error["words"]) == ("refused", "Not here, please.")
    assert await Generation.objects.acount() == 1


@pytest.mark.parametrize("pattern", ["w7 w8", "W7 W8"])
async def test_a_blocked_pattern_refuses_the_reply_and_shows_nothing_of_it(
    tabs: Any, broker: Any, pattern: str
) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await Rule.objects.acreate(name="b", options={"pattern": pattern}, applies="reply")
    await tab.say(**send("slow:30:2"))
    await tab.until("ack")
    text, done = await tab.reply()
    assert done["status"] == "refused"
    assert done["words"]
    assert "w7" not in text


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


async def test_one_person_has_a_bounded_number_of_sockets(
    tabs: Any, broker: Any, cast: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "SOCKETS_A_PERSON", 2)
    first, second = await tabs("alice"), await tabs("alice")
    cookie = cookie_of(await sync_to_async(cast.client)("alice"))
    third = Tab(cookie, settings.SITE_URLS[0])
    assert await third.open() == {"type": "close", "code": 1013}
    await third.socket.disconnect()
    await tabs("bob")
    await first.socket.disconnect()
    await tabs("alice")
    await second.say(**send("still here"))
    await second.until("ack")


async def test_an_outbox_that_nobody_empties_stays_bounded() -> None:
    outbox = Outbox()
    for number in range(3000):
        outbox.put("one", Piece(number, number + 1, "x" * 1000, ()))
    assert outbox.overflowed
    assert sum(len(item.text) for _, item in outbox.take() if isinstance(item, Piece)) < 1_010_000


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


async def asked_twice(tab: Any) -> tuple[Message, dict[str, Any]]:
    """A question whose first answer was stopped, and the ack of the second, which is live."""
    await tab.say(**send("slow:300:100 x"))
    first = await tab.next()
    await tab.say(type="stop", message_id=first["message_id"])
    await eventually(lambda: Message.objects.filter(pk=first["message_id"], status="stopped").exists())
    await tab.say(type="regenerate", message_id=first["message_id"], client_id="again")
    question = await Message.objects.select_related("conversation__owner").aget(role="user")
    return question, await tab.until("ack")


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


async def test_a_row_that_cannot_be_repaired_does_not_hold_up_the_others(
    tabs: Any, broker: Any, redis_client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """All three are lost with Redis: the question of one was hidden meanwhile, another is broken."""
    alice, bob, stranger = await tabs("alice"), await tabs("bob"), await tabs("stranger")
    hidden, _ = await asked_twice(alice)
    await bob.say(**send("broken"))
    broken = await bob.until("ack")
    await stranger.say(**send("sound"))
    sound = await stranger.until("ack")
    await Message.objects.filter(pk=hidden.pk).aupdate(hidden_at=Now())
    await Generation.objects.filter(pk=broken["generation_id"]).aupdate(parameters={})
    redis_client.flushall()
    with override_settings(RECONCILE_AGE_SECONDS=-60, REDIS_REST_SECONDS=0.001):
        for _ in range(3):  # the first only notes that Redis is new
            await sync_to_async(reconcile)()
            await asyncio.sleep(0.01)
        assert await Generation.objects.filter(message__parent=hidden, status="stopped").acount() == 2
        mended = await Generation.objects.aget(pk=sound["generation_id"])
        left = await Generation.objects.aget(pk=broken["generation_id"])
    assert (mended.attempt, mended.status) == (2, "queued")
    assert (left.attempt, left.status) == (1, "queued")
    assert f"not mended: {left.pk}" in caplog.text
    broker.start_worker()
    broker.ticket("scripted")
    assert (await stranger.reply())[0] == "sound"


async def test_deleting_a_chat_stops_its_reply_and_gives_no_quota_back(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("slow:500:10"))
    ack = await tab.next()
    await tab.until("token")
    conversation = await Conversation.objects.aget(pk=ack["conversation"]["id"])
    await sync_to_async(delete_conversation)(conversation=conversation)
    assert (await tab.until("done"))["status"] == "stopped"
    counter = await eventually(lambda: UsageCounter.objects.filter(reserved=0).first())
    assert counter.used > 0


@pytest.mark.parametrize(
    ("script", "words"), [("nan:", "not a number"), ("oom:", "out of memory")], ids=["nan", "oom"]
)
async def test_a_failure_of_the_engine_is_explained(tabs: Any, broker: Any, script: str, words: str) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send(script))
    await tab.until("ack")
    _, done = await tab.reply()
    assert done["status"] == "failed"
    assert words in done["words"]
    await tab.say(**send("the next one works"))
    await tab.until("ack")
    assert (await tab.reply())[0] == "the next one works"


async def test_without_a_model_the_answer_is_clear(tabs: Any, broker: Any) -> None:
    tab = await tabs("alice")
    await sync_to_async(ModelCard.objects.all().delete)()
    await tab.say(**send("anybody?"))
    error = await tab.next()
    assert error["type"] == "error"
    assert not await Conversation.objects.aexists()


@pytest.mark.parametrize(
    "text", ["\u200b", "\u2800\u3164", "\u00a0\u00ad\u115f", "\U000e0061\ufe0f", "\u202e\n\u034f"], ids=ascii
)
async def test_a_message_of_which_nothing_can_be_seen_is_empty(tabs: Any, broker: Any, text: str) -> None:
    tab = await tabs("alice")
    await tab.say(**send(text))
    error = await tab.next()
    assert (error["code"], error["words"]) == ("bad_input", "The message is empty.")
    assert not await Message.objects.aexists()
    broker.start_worker()
    await tab.say(**send("\U0001f468\u200d\U0001f469\u200d\U0001f467", client_id="emoji"))
    ack = await tab.until("ack")
    assert ack["messages"][0]["text"] == "\U0001f468\u200d\U0001f469\u200d\U0001f467"
