"""People edit, undo and delete what a summary covers, and prompts follow."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection, transaction
from django.utils import timezone

from chat.conversations.branches import delete_branch
from chat.conversations.lifecycle import delete_conversation
from chat.conversations.models import Conversation, Message
from chat.conversations.purge import purge_owner
from chat.moderation.models import Rule
from chat.moderation.signals import message_hidden
from chat.turns import reconcile, summaries
from chat.turns.models import Generation, Summary
from chat.turns.question import Question
from chat.turns.starting import send as send_question
from inference.contract import GenerationRequest
from inference.wire import scripts
from tests.chat.conversations.building import say
from tests.chat.turns.exchange import eventually
from tests.chat.turns.summarising import SAYS, ask_in, change, long_talk, texts, written

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("short_context")]


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_an_edit_is_a_version_of_its_own_and_earlier_prompts_stay(cast: Any, broker: Any) -> None:
    answer, below, summary = written(cast, broker)
    before = send_question(
        user=cast.alice,
        conversation_id=answer.conversation_id,
        parent_id=below.children.get().pk,
        question=Question("five"),
        client_id="c",
    ).generation
    edited = change(cast, answer, "patch", text="  We spoke of two things. ")
    assert (edited["text"], edited["edited"], edited["version"]) == ("We spoke of two things.", True, 2)
    assert "two things" in texts(below)[0]
    async_to_sync(eventually)(lambda: Generation.objects.filter(pk=before.pk, status="complete").exists())
    url = f"/api/messages/{before.message_id}/prompt/"
    sent = cast.client("alice").get(url).json()["prompt"]
    assert sent["exact"] is True
    assert "They spoke of w." in sent["messages"][0]["text"]
    assert before.prompt.summary == summary.pk
    assert change(cast, answer, "patch", text=" ") == 400
    assert change(cast, answer, "patch", text="x" * 12_001) == 400
    Rule.objects.create(
        kind="pattern", name="r", options={"pattern": "forbidden"}, applies="both", words="No."
    )
    assert change(cast, answer, "patch", text="forbidden") == 422


def test_an_undone_summary_is_out_of_prompts_until_it_is_used_again(cast: Any, broker: Any) -> None:
    answer, below, _summary = written(cast, broker)
    assert len(texts(below)) == 2  # the summary and the question
    assert change(cast, answer, "delete")["status"] == "undone"
    assert texts(below) == [f"one\n{SAYS}", "two", "three"]
    assert change(cast, answer, "post")["status"] == "ready"
    assert "They spoke" in texts(below)[0]
    assert Summary.objects.count() == 1


async def test_undone_turns_are_not_summarised_by_themselves(tabs: Any, broker: Any, cast: Any) -> None:
    path = await sync_to_async(long_talk)(cast)
    await Summary.objects.acreate(
        conversation_id=path[-1].conversation_id,
        user=cast.alice,
        last=path[1],
        status="undone",
        text="t",
        model="m",
    )
    broker.start_worker()
    await ask_in(await tabs("alice"), path[-1])
    await eventually(lambda: not broker.runtime.writer.running())  # it was considered before
    assert await Summary.objects.acount() == 1


@pytest.mark.parametrize("how", ["hidden", "deleted", "conversation"])
def test_a_summary_goes_with_what_it_covers(cast: Any, broker: Any, how: str) -> None:
    answer, below, _summary = written(cast, broker)
    question = answer.parent
    assert question is not None
    if how == "hidden":
        Message.objects.filter(pk=question.pk).update(hidden_at=timezone.now())
        message_hidden.send(Message, message=question)
        assert texts(below) == ["…", "two", "three"]
    elif how == "deleted":
        delete_branch(question)
    else:
        delete_conversation(conversation=answer.conversation)
        purge_owner(cast.alice)
    assert not Summary.objects.exists()


def test_a_waiting_reply_is_asked_without_a_summary_whose_message_was_hidden(
    cast: Any, broker: Any, redis_client: redis.Redis
) -> None:
    answer, below, _summary = written(cast, broker)
    broker.stop_worker()
    row = send_question(
        user=cast.alice,
        conversation_id=answer.conversation_id,
        parent_id=below.children.get().pk,
        question=Question("five"),
        client_id="c",
    ).generation
    assert answer.parent is not None
    Message.objects.filter(pk=answer.parent.pk).update(hidden_at=timezone.now())
    message_hidden.send(Message, message=answer.parent)
    redis_client.flushdb()
    found = async_to_sync(eventually)

    def submitted_again() -> Any:
        reconcile.reconcile()
        return redis_client.hget(scripts.key("gen", str(row.pk)), "payload")

    request = GenerationRequest.from_json(found(submitted_again))
    assert [each["content"] for each in request.messages] == ["…", "two", "three", "four", "five"]
    assert (request.attempt, request.run) == (2, 1)


def test_a_branch_uses_only_summaries_of_its_own_ancestors(cast: Any, broker: Any) -> None:
    answer, below, _summary = written(cast, broker)
    (other,) = say(below.conversation, "another beginning")
    (edit,) = say(below.conversation, "three, edited", under=answer)
    assert texts(other) == ["another beginning"]
    assert "They spoke" in texts(edit)[0]
    assert answer.parent is not None
    (again, after) = say(below.conversation, "two again", "and then", under=answer.parent)
    assert texts(after) == [f"one\n{SAYS}", "two again", "and then"]
    assert again.parent_id == answer.parent_id


@pytest.mark.parametrize(("ago", "status"), [(0, "failed"), (1, "ready")])
def test_a_summary_asked_for_while_a_message_was_being_hidden_is_not_stored(
    cast: Any, broker: Any, ago: int, status: str
) -> None:
    answer, _below, summary = written(cast, broker, start=False)
    Message.objects.filter(children=answer).update(hidden_at=timezone.now() - timedelta(hours=ago))
    broker.start_worker()
    broker.ticket("scripted")
    async_to_sync(eventually)(lambda: Summary.objects.exclude(status="waiting").exists())
    summary.refresh_from_db()
    assert summary.status == status


def test_two_tabs_that_save_an_edit_store_two_versions(cast: Any, broker: Any) -> None:
    answer = written(cast, broker)[0]
    client = cast.client("alice")

    def save() -> int:
        try:
            url = f"/api/messages/{answer.pk}/summary/"
            return int(client.patch(url, '{"text": "second"}', "application/json").status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as tab, transaction.atomic():
        summaries.edit(message=answer, user=cast.alice, text="first")
        second = tab.submit(save)
        while connection.vendor == "postgresql" and not second.done() and not somebody_waits():
            pass
    assert second.result() == 200
    found = Summary.objects.order_by("version").values_list("version", "text")
    assert list(found)[1:] == [(2, "first"), (3, "second")]


@pytest.mark.parametrize(("who", "status"), [("bob", 404), ("staff", 404), ("anonymous", 401)])
def test_only_the_owner_changes_a_summary(cast: Any, broker: Any, who: str, status: int) -> None:
    answer, below, _summary = written(cast, broker)
    for method in ("post", "patch", "delete"):
        assert change(cast, answer, method, who, text="x") == status
    assert change(cast, below, "post") == 400
    assert change(cast, below, "delete") == 404


def test_exports_have_summaries_and_shares_and_search_do_not(cast: Any, broker: Any) -> None:
    answer, _below, _summary = written(cast, broker)
    alice = cast.client("alice")
    exported = json.loads(
        alice.get(f"/api/conversations/{answer.conversation_id}/export/?format=json").content
    )
    assert [(each["last"], each["text"]) for each in exported["summaries"]] == [
        (str(answer.pk), "They spoke of w.")
    ]
    Message.objects.filter(text__contains=SAYS).update(text="one")
    address = f"/api/conversations/{answer.conversation_id}/share/"
    share = alice.post(address, "{}", content_type="application/json").json()["share"]
    assert "They spoke of w." not in cast.client("anonymous").get(f"/s/{share['token']}/").content.decode()
    assert alice.get("/api/search/?q=spoke").json()["results"] == []


def test_a_temporary_chat_is_summarised_and_loses_it_with_its_end(cast: Any, broker: Any) -> None:
    answer, below, _summary = written(cast, broker)
    Conversation.objects.filter(pk=answer.conversation_id).update(temporary=True)
    assert "They spoke" in texts(below)[0]
    delete_conversation(conversation=answer.conversation)
    purge_owner(cast.alice)
    assert not Summary.objects.exists()
