"""The messages a model gets: in strict turns, whatever was stopped, failed, hidden, imported or cut."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db.models.functions import Now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat.conversations.models import Conversation, Message, MessageStatus, Role
from chat.model_cards.selection import default_model
from chat.turns.models import Generation
from chat.turns.prompts import prompt_of
from chat.turns.question import Question
from chat.turns.requests import request_for
from chat.turns.settlement import finish
from chat.turns.starting import send
from inference.text.alternate import SILENCE
from inference.wire import scripts

pytestmark = [pytest.mark.django_db(transaction=True)]

SENT = iter(range(10**9))


async def ask(tab: Any, content: str, after: dict[str, Any] | None = None, **frame: Any) -> dict[str, Any]:
    """Asks, in a new conversation or after the reply of an ack; the new ack."""
    talk = {"conversation": after["conversation"]["id"], "parent": after["message_id"]} if after else {}
    question = {"type": "send", "conversation": None, "parent": None, "content": content, **talk, **frame}
    await tab.say(**question, client_id=f"c{next(SENT)}")
    ack: dict[str, Any] = await tab.until("ack")
    return ack


async def stop(tab: Any, ack: dict[str, Any]) -> None:
    await tab.say(type="stop", message_id=ack["message_id"])
    assert (await tab.until("done"))["status"] == "stopped"
    await settled(ack)


@sync_to_async
def settled(ack: dict[str, Any]) -> None:
    finish(ack["generation_id"], 1)
    assert not Generation.objects.live().filter(pk=ack["generation_id"]).exists()


@sync_to_async
def asked_of_the_model(redis_client: Any, ack: dict[str, Any]) -> list[tuple[str, str]]:
    """(role, content) of the request as it waits in Redis for a worker."""
    payload = redis_client.hget(scripts.key("gen", ack["generation_id"]), "payload")
    return [(each["role"], each["content"]) for each in json.loads(payload)["messages"]]


def in_turn(messages: list[dict[str, Any]]) -> None:
    """As templates that raise an exception want it."""
    talk = messages[1:] if messages[0]["role"] == "system" else messages
    wanted = ["user" if number % 2 == 0 else "assistant" for number in range(len(talk))]
    assert [each["role"] for each in talk] == wanted
    assert all(each["content"].strip() for each in messages)


async def test_questions_stopped_before_their_first_token_go_with_the_next(
    tabs: Any, broker: Any, redis_client: Any
) -> None:
    tab = await tabs("alice")
    first = await ask(tab, "What is it?")
    await stop(tab, first)
    second = await ask(tab, "I mean the capital.", first)
    await stop(tab, second)
    third = await ask(tab, "Of France.", second)
    assert await asked_of_the_model(redis_client, third) == [
        ("user", "What is it?\n\nI mean the capital.\n\nOf France.")
    ]


async def test_a_question_that_failed_does_not_break_the_conversation(
    tabs: Any, broker: Any, redis_client: Any
) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    first = await ask(tab, "one")
    assert (await tab.reply())[0] == "one"
    failed = await ask(tab, "oom:", first)
    assert (await tab.until("done"))["status"] == "failed"
    third = await ask(tab, "slow:300:50", failed)
    await tab.until("token")
    assert await asked_of_the_model(redis_client, third) == [
        ("user", "one"),
        ("assistant", "one"),
        ("user", "oom:\n\nslow:300:50"),
    ]


@pytest.mark.parametrize(
    ("hidden", "prompt"),
    [
        ("answer", [("user", "one\n\nthree"), ("assistant", "three"), ("user", "last")]),
        (
            "question",
            [
                ("user", SILENCE),
                ("assistant", "one"),
                ("user", "three"),
                ("assistant", "three"),
                ("user", "last"),
            ],
        ),
    ],
)
async def test_messages_hidden_by_moderation_leave_the_prompt_in_turns(
    tabs: Any, broker: Any, redis_client: Any, hidden: str, prompt: list[tuple[str, str]]
) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    first = await ask(tab, "one")
    await tab.reply()
    await settled(first)
    second = await ask(tab, "three", first)
    await tab.reply()
    await settled(second)
    broker.runtime.stopping.set()
    answer = await Message.objects.aget(pk=first["message_id"])
    await Message.objects.filter(pk=str(answer.pk if hidden == "answer" else answer.parent_id)).aupdate(
        hidden_at=Now()
    )
    last = await ask(tab, "last", second)
    assert await asked_of_the_model(redis_client, last) == prompt


def grown(conversation: Conversation, *messages: tuple[str, str]) -> Message:
    """A branch of settled messages; its end."""
    leaf = None
    for role, text in messages:
        status = MessageStatus.COMPLETE
        leaf = Message.objects.create(
            conversation=conversation, parent=leaf, role=role, text=text, status=status
        )
    assert leaf is not None
    return leaf


@pytest.fixture
def talk(cast: Any, broker: Any) -> Conversation:
    """An empty conversation of alice."""
    return Conversation.objects.create(owner=cast.alice, model=default_model(), title="Imported")


def test_the_cut_of_a_long_history_falls_between_a_question_and_its_answer(
    talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.turns.prompts.HISTORY_MESSAGES", 4)
    leaf = grown(talk, *[("user", "q"), ("assistant", "a")] * 4, ("user", "last"))
    messages = prompt_of(leaf, system="Be brief.")
    in_turn(messages)
    assert [each["content"] for each in messages] == ["Be brief.", SILENCE, "a", "q", "a", "last"]


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_imported_question_without_text_is_still_the_one_to_answer(talk: Conversation, text: str) -> None:
    leaf = grown(talk, ("user", "q"), ("assistant", "a"), ("user", text))
    assert [each["role"] for each in prompt_of(leaf)] == ["user", "assistant", "user"]


def test_a_blank_beginning_of_an_answer_is_no_message(talk: Conversation) -> None:
    leaf = grown(talk, ("user", "q"))
    assert prompt_of(leaf, prefix="\n\n") == [{"role": "user", "content": "q"}]


def test_an_ordinary_conversation_is_as_it_was_written(talk: Conversation) -> None:
    said = [("user", " q "), ("assistant", "a\n"), ("user", "q2"), ("assistant", "a2"), ("user", "last")]
    leaf = grown(talk, *said)
    messages = prompt_of(leaf, prefix="And", system="Be brief.")
    whole = [("system", "Be brief."), *said, ("assistant", "And")]
    assert messages == [{"role": role, "content": content} for role, content in whole]


NODES = st.tuples(
    st.sampled_from([Role.USER, Role.ASSISTANT, Role.ASSISTANT, Role.SYSTEM]),
    st.sampled_from(["", " ", "Hello", "Second paragraph.\n\nThird.", "été"]),
    st.booleans(),  # hidden
    st.integers(0, 30),  # which of those before is its parent
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize="WALKS" not in os.environ,
)
@given(
    nodes=st.lists(NODES, min_size=1, max_size=12),
    limit=st.integers(1, 12),
    said=st.sampled_from(["", " ", "So"]),
)
def test_every_question_of_every_tree_has_a_prompt_in_turn(
    talk: Conversation, nodes: list[Any], limit: int, said: str
) -> None:
    talk.messages.all().delete()
    made: list[Message] = []
    for role, text, hidden, parent in nodes:
        above = made[parent % len(made)] if made else None
        made.append(
            Message(
                conversation=talk, parent=above, role=role, text=text, hidden_at=Now() if hidden else None
            )
        )
        made[-1].save()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chat.turns.prompts.HISTORY_MESSAGES", limit)
        for asked in talk.messages.filter(role=Role.USER):
            messages = prompt_of(asked, said)
            assert bool(messages) == (asked.hidden_at is None)
            if messages:
                in_turn(messages)
                assert messages[-1]["role"] == ("assistant" if said.strip() else "user")
                assert prompt_of(asked, said) == messages


async def test_a_resume_feeds_the_identical_prompt(tabs: Any, broker: Any, redis_client: Any) -> None:
    tab = await tabs("alice")
    first = await ask(tab, "What is it?")
    await stop(tab, first)
    second = await ask(tab, "The capital.", first)
    waits = await asked_of_the_model(redis_client, second)

    def again() -> list[tuple[str, str]]:
        row = Generation.objects.select_related("message__conversation", "message__parent", "user").get(
            pk=second["generation_id"]
        )
        return [(each["role"], each["content"]) for each in request_for(row).messages]

    assert await sync_to_async(again)() == waits


def test_asking_again_about_an_imported_answer_without_a_question(
    talk: Conversation, cast: Any, redis_client: Any
) -> None:
    leaf = grown(talk, ("assistant", "Welcome."), ("user", "Hi"), ("assistant", ""), ("assistant", "Hello."))
    turn = send(
        user=cast.alice, conversation_id=talk.pk, parent_id=leaf.pk, question=Question("So?"), client_id="so"
    )
    ack = {"generation_id": str(turn.generation.pk)}
    assert async_to_sync(asked_of_the_model)(redis_client, ack) == [
        ("user", SILENCE),
        ("assistant", "Welcome."),
        ("user", "Hi"),
        ("assistant", "Hello."),
        ("user", "So?"),
    ]
