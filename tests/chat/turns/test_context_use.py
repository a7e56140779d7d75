"""The page learns how full the model's context is, and what the next prompt will leave out."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chat.conversations.models import Conversation, Message
from chat.conversations.tree import path_to
from chat.model_cards.models import ModelCard
from chat.personas.models import ConversationSettings
from chat.turns.models import Generation, Part, Summary
from tests.chat.conversations.building import say, talk
from tests.chat.turns.exchange import send

ANSWER = "word " * 60  # 104 tokens by estimate


def context(cast: Any, conversation: Conversation, who: str = "alice") -> Any:
    answer = cast.client(who).get(f"/api/conversations/{conversation.pk}/context/")
    return answer.json()["context"] if answer.status_code == 200 else answer.status_code


def counted(conversation: Conversation, **fields: Any) -> Generation:
    """Stores that a worker answered with the newest message, and what it counted."""
    return Generation.objects.create(
        message=conversation.leaves.get().message,
        user=conversation.owner,
        model=conversation.model_id,
        status="complete",
        seed=1,
        client_id="c",
        **fields,
    )


@pytest.mark.django_db
class TestUse:
    def test_turns_are_named_from_80_percent_on(self, cast: Any) -> None:
        conversation = talk(cast.alice, "the first question", ANSWER, "the second\nin two lines", ANSWER)
        step = counted(conversation, prompt_tokens=500, completion_tokens=318)
        assert context(cast, conversation) == {"tokens": 818, "exact": True, "limit": 1024}
        Generation.objects.filter(pk=step.pk).update(completion_tokens=320)
        use = context(cast, conversation)
        ids = [str(message.pk) for message in path_to(step.message, 9)]
        assert (use["tokens"], use["exact"], use["room"]) == (820, True, 512)
        assert [(turn["first"], turn["last"]) for turn in use["turns"]] == [
            (ids[0], ids[1]),
            (ids[2], ids[3]),
        ]
        assert [turn["words"] for turn in use["turns"]] == ["the first question", "the second"]
        assert sum(turn["tokens"] for turn in use["turns"]) == pytest.approx(820, abs=1)

    def test_the_room_is_what_the_longest_answer_leaves(self, cast: Any) -> None:
        conversation = talk(cast.alice, "asked", "answered")
        counted(conversation, prompt_tokens=900, completion_tokens=10)
        ConversationSettings.objects.create(conversation=conversation, settings={"max_tokens": 100})
        assert context(cast, conversation)["room"] == 924

    def test_turns_that_a_worker_left_out_are_estimated_and_thoughts_do_not_count(self, cast: Any) -> None:
        conversation = talk(cast.alice, "long " * 700, ANSWER, "again", ANSWER)
        step = counted(conversation, prompt_tokens=300, completion_tokens=80, turns_left_out=1)
        use = context(cast, conversation)
        assert (use["exact"], use["tokens"] > 1300) == (False, True)
        Generation.objects.filter(pk=step.pk).update(turns_left_out=0, has_parts=True)
        Part.objects.create(generation=step, order=0, kind="thought", text="hm", offset=0, after=0, seq=50)
        assert context(cast, conversation) == {"tokens": 330, "exact": True, "limit": 1024}

    def test_a_thought_that_the_reply_continued_does_not_count(self, cast: Any) -> None:
        conversation = talk(cast.alice, "asked", "answered")
        step = counted(conversation, prompt_tokens=300, completion_tokens=80, has_parts=True)
        thought = {"generation": step, "kind": "thought", "offset": 0, "after": 0}
        Part.objects.create(order=0, text=ANSWER, seq=0, **thought)  # in its prompt: 104 tokens by estimate
        Part.objects.create(order=1, text="hm", seq=50, **thought)
        assert context(cast, conversation) == {"tokens": 226, "exact": False, "limit": 1024}

    def test_another_model_makes_it_an_estimate(self, cast: Any) -> None:
        conversation = talk(cast.alice, "asked", "answered")
        counted(conversation, prompt_tokens=300, completion_tokens=80)
        small = ModelCard.objects.create(slug="small", name="Small", context_tokens=400)
        Conversation.objects.filter(pk=conversation.pk).update(model=small)
        use = context(cast, conversation)
        assert (use["tokens"], use["exact"], use["limit"], use["room"]) == (380, False, 400, 200)

    def test_words_of_a_hidden_question_are_not_named(self, cast: Any) -> None:
        conversation = talk(cast.alice, "the secret", ANSWER, "open", ANSWER)
        counted(conversation, prompt_tokens=900, completion_tokens=10)
        Message.objects.filter(text="the secret").update(hidden_at="2026-01-01T00:00Z")
        assert [turn["words"] for turn in context(cast, conversation)["turns"]] == ["", "open"]

    def test_a_summary_of_the_whole_branch_counts_instead_of_it(self, cast: Any) -> None:
        conversation = talk(cast.alice, "long " * 700, ANSWER)
        assert context(cast, conversation)["tokens"] > 1200
        end = conversation.leaves.get().message
        about = {"conversation": conversation, "user": cast.alice, "last": end, "model": "scripted"}
        Summary.objects.create(
            **about, version=1, status="ready", text="A long question.", seed=1, max_tokens=99
        )
        use = context(cast, conversation)
        assert ("turns" in use, use["tokens"] < 200) == (False, True)

    @pytest.mark.parametrize(("who", "status"), [("bob", 404), ("staff", 404), ("anonymous", 401)])
    def test_only_the_owner_learns_it(self, cast: Any, who: str, status: int) -> None:
        assert context(cast, talk(cast.alice, "asked", "answered"), who) == status


@pytest.mark.django_db(transaction=True)
async def test_the_turns_that_a_worker_left_out_are_stored(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    conversation = await sync_to_async(talk)(cast.alice, "one " * 5000, "two " * 2000)
    end = await conversation.messages.aget(role="assistant")
    (_, end) = await sync_to_async(say)(conversation, "three " * 1000, "four", under=end)
    tab = await tabs("alice")
    await tab.say(**send("slow:3:1", str(conversation.pk), str(end.pk)))
    ack = await tab.until("ack")
    await tab.reply()
    use = await sync_to_async(context)(cast, conversation)  # settles the row first
    step = await Generation.objects.aget(pk=ack["generation_id"])
    assert step.turns_left_out == 1
    assert (use["exact"], len(use["turns"])) == (False, 3)
