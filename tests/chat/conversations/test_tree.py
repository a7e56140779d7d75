"""Paths through the message tree, pages of a transcript, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chat.conversations import tree
from chat.conversations.branches import current_leaf, set_leaf
from chat.conversations.models import Message, MessageStatus, Role
from chat.conversations.transcripts import transcript
from chat.conversations.tree import path_to
from chat.turns.models import Generation
from tests.chat.cast import Cast
from tests.chat.conversations.building import live_reply, long_talk, say, talk

pytestmark = pytest.mark.django_db


def words(messages: Sequence[Message]) -> list[Any]:
    return [message.text for message in messages]


def test_a_path_is_one_branch_oldest_first(cast: Cast) -> None:
    conversation = talk(cast.alice)
    first = say(conversation, "q1", "a1", "q2", "a2")
    second = say(conversation, "a1 again", under=first[0])
    third = say(conversation, "q3", "a3", under=second[0])
    assert words(path_to(first[-1], 50)) == ["q1", "a1", "q2", "a2"]
    assert words(path_to(second[-1], 50)) == ["q1", "a1 again"]
    assert words(path_to(third[-1], 50)) == ["q1", "a1 again", "q3", "a3"]
    assert words(path_to(first[0], 50)) == ["q1"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_a_path_stops_at_its_limit_from_the_end(cast: Cast, limit: int) -> None:
    messages = say(talk(cast.alice), "q1", "a1", "q2", "a2")
    assert words(path_to(messages[-1], limit)) == ["q1", "a1", "q2", "a2"][-limit:]


def test_each_viewer_has_a_leaf_of_their_own(cast: Cast) -> None:
    conversation = talk(cast.alice)
    messages = say(conversation, "q1", "a1")
    other = say(conversation, "a1 again", under=messages[0])[0]
    assert current_leaf(cast.alice, conversation) == other
    set_leaf(cast.alice, messages[1])
    assert current_leaf(cast.alice, conversation) == messages[1]
    set_leaf(cast.bob, other)
    assert current_leaf(cast.alice, conversation) == messages[1]
    assert current_leaf(cast.bob, conversation) == other


def test_without_a_leaf_the_newest_end_is_open(cast: Cast) -> None:
    conversation = talk(cast.alice)
    messages = say(conversation, "q1", "a1", "q2", "a2")
    other = say(conversation, "a1 again", under=messages[0])[0]
    assert current_leaf(cast.staff, conversation) in (messages[-1], other)
    conversation.leaves.all().delete()
    Message.objects.filter(pk=other.pk).delete()
    assert current_leaf(cast.alice, conversation) == messages[-1]


def test_an_empty_conversation_has_none(cast: Cast) -> None:
    conversation = talk(cast.alice)
    assert current_leaf(cast.alice, conversation) is None
    assert transcript(cast.alice, conversation) == {"messages": [], "more": False, "later": False}


def test_paging_back_reaches_the_beginning(cast: Cast) -> None:
    conversation, messages = long_talk(cast.alice, 130)
    client, address = cast.client("alice"), f"/api/conversations/{conversation.pk}/messages/"
    page = client.get(address).json()
    seen = page["messages"]
    sizes = [len(seen)]
    while page["more"]:
        page = client.get(address, {"before": seen[0]["id"]}).json()
        seen = page["messages"] + seen
        sizes.append(len(page["messages"]))
    assert [m["id"] for m in seen] == [str(m.pk) for m in messages]
    assert sizes == [50, 50, 30]
    assert client.get(address, {"before": seen[0]["id"]}).json()["messages"] == []


@pytest.mark.parametrize(("length", "more"), [(50, False), (51, True)])
def test_more_is_exact(cast: Cast, length: int, more: bool) -> None:
    conversation, _ = long_talk(cast.alice, length)
    page = cast.client("alice").get(f"/api/conversations/{conversation.pk}/messages/").json()
    assert (len(page["messages"]), page["more"]) == (50, more)


def test_paging_stays_on_the_branch(cast: Cast) -> None:
    conversation, messages = long_talk(cast.alice, 60)
    branch = say(conversation, "an edit", "its answer", under=messages[9])
    page = cast.client("alice").get(f"/api/conversations/{conversation.pk}/messages/").json()
    assert [m["text"] for m in page["messages"]] == [f"m{n}" for n in range(10)] + words(branch)


def test_the_json_of_a_message_is_complete(cast: Cast) -> None:
    conversation = talk(cast.alice, "Hi", "Hello")
    answer = conversation.messages.get(text="Hello")
    generation = Generation.objects.create(
        message=answer, user=cast.alice, model="scripted", seed=1, completion_tokens=7, status="complete"
    )
    page = cast.client("alice").get(f"/api/conversations/{conversation.pk}/messages/").json()
    assert page["messages"][1] == {
        "id": str(answer.pk),
        "conversation": str(conversation.pk),
        "parent": str(answer.parent_id),
        "role": "assistant",
        "text": "Hello",
        "status": "complete",
        "created_at": answer.created_at.isoformat(),
        "hidden": False,
        "pinned": False,
        "generation": {"id": str(generation.pk), "seq": 7, "model": "scripted"},
        "reason": "",
        "siblings": [str(answer.pk)],
        "files": [],
    }
    assert page["messages"][0]["generation"] is None
    assert page["messages"][0]["parent"] is None


def test_a_live_message_as_json(cast: Cast) -> None:
    conversation = talk(cast.alice, "Hi", "Hello")
    live_reply(conversation, "And now?")
    page = cast.client("alice").get(f"/api/conversations/{conversation.pk}/messages/").json()
    assert (page["messages"][-1]["status"], page["messages"][-1]["text"]) == ("live", "")


# --- Costs ------------------------------------------------------------------------------------------------


def queries_of(act: Any) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        act()
    return len(captured)


def test_opening_and_appending_cost_the_same_in_a_long_chat(cast: Cast) -> None:
    client = cast.client("alice")
    counts = []
    for length in (50, 2_000):
        conversation, messages = long_talk(cast.alice, length)
        page, api = conversation.get_absolute_url(), f"/api/conversations/{conversation.pk}/messages/"
        client.get(page)  # what a process does once

        def append(conversation: Any = conversation, end: Any = messages[-1]) -> None:
            asked = Message.objects.create(conversation=conversation, parent=end, role=Role.USER, text="?")
            reply = Message.objects.create(
                conversation=conversation, parent=asked, role=Role.ASSISTANT, status=MessageStatus.LIVE
            )
            set_leaf(cast.alice, reply)
            path_to(reply, 50)

        counts.append(
            {
                "page": queries_of(lambda page=page: client.get(page)),
                "newest": queries_of(lambda api=api: client.get(api)),
                "older": queries_of(lambda api=api, m=messages: client.get(api, {"before": m[-1].pk})),
                "append": queries_of(append),
            }
        )
    assert counts[0] == counts[1]
    assert counts[0]["newest"] <= 11  # one of them reads the steps of all answers, one their summaries


def test_a_path_touches_only_its_own_rows(cast: Cast) -> None:
    """The plan walks by primary key: no scan of the table, whatever its size."""
    _, messages = long_talk(cast.alice, 2_000)
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN (ANALYZE, COSTS OFF)"
    key = Message._meta.pk.get_db_prep_value(messages[-1].pk, connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE conversations_message")
        cursor.execute(f"{explain} {tree._PATH}", [key, 51])
        plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
    assert "SCAN conversations_message" not in plan
    assert "SCAN above" not in plan
    assert "Seq Scan on conversations_message" not in plan, plan
