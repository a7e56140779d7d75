"""Token ids in the row of a settled reply: which are stored, who reads them, and when they go."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chat.conversations.models import Message
from chat.moderation.models import Rule
from chat.turns.models import Generation
from chat.turns.token_ids import packed, unpacked
from inference.contract import Kind, Piece, Reason
from inference.wire.log import End, Log
from tests.chat.turns.exchange import asked, saved, send

pytestmark = pytest.mark.django_db(transaction=True)


@sync_to_async
def ids_of(generation_id: str) -> tuple[int, ...]:
    return unpacked(Generation.objects.values_list("token_ids", flat=True).get(pk=generation_id))


async def test_a_settled_reply_has_the_ids_of_all_its_kinds(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    ack = await asked(await tabs("alice"), "think:2:slow:5:10")
    assert await ids_of(ack["generation_id"]) == (0, 1, 2, 3, 4)


async def test_ids_go_with_their_message(cast: Any, tabs: Any, broker: Any) -> None:
    broker.start_worker()
    ack = await asked(await tabs("alice"), "echo:one two")
    delete = sync_to_async(lambda: cast.client("alice").delete(f"/api/messages/{ack['message_id']}/"))
    assert (await delete()).status_code == 204
    assert not await Message.objects.filter(pk=ack["message_id"]).aexists()
    assert not await Generation.objects.filter(pk=ack["generation_id"]).aexists()


async def test_pages_are_read_without_ids(cast: Any, tabs: Any, broker: Any) -> None:
    broker.start_worker()
    ack = await asked(await tabs("alice"), "echo:one two")

    @sync_to_async
    def statements() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            client = cast.client("alice")
            client.get(f"/api/conversations/{ack['conversation']['id']}/messages/")
        return [query["sql"] for query in captured if "turns_generation" in query["sql"]]

    found = await statements()
    assert found
    assert not [sql for sql in found if "token_ids" in sql]


async def test_a_reply_that_a_rule_ended_has_no_ids(tabs: Any, broker: Any) -> None:
    await Rule.objects.acreate(name="no", kind="pattern", options={"pattern": "w50"}, applies="both")
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("slow:60:5"))
    ack = await tab.until("ack")
    await tab.until("done")
    assert (await saved(ack, "refused")).text.startswith("w1 w2 ")
    assert await ids_of(ack["generation_id"]) == ()


def test_only_ids_that_are_complete_and_allowed_are_stored() -> None:
    pieces = (Piece(0, 2, "ab", (7, 2**31), kind=Kind.THOUGHT), Piece(2, 3, "c", (0,)))
    assert unpacked(packed(Log(pieces, End(3, Reason.STOP)))) == (7, 2**31, 0)
    assert packed(Log(pieces, End(3, Reason.REFUSED))) == b""
    without = (Piece(0, 2, "ab", ()), Piece(2, 3, "c", (0,)))
    assert packed(Log(without, End(3, Reason.STOP))) == b""
    assert packed(Log((), End(0, Reason.STOPPED))) == b""
