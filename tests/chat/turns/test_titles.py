"""Titles from the model: which conversations get one, which words are refused, and no reply waits for one."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chat.conversations.models import Conversation, Message
from chat.conversations.titles import rename_conversation
from chat.moderation.models import Rule
from chat.quotas.models import UsageCounter, UsageEntry
from chat.turns.model_titles import title_of
from tests.chat.turns.exchange import eventually, send

pytestmark = [pytest.mark.django_db(transaction=True)]
FIRST = "echo:Good morning"
SLOWLY = "\ntitle:pace:1000:one two three four five six seven eight nine ten"


async def titled(tab: Any, broker: Any, question: str) -> str:
    """The title of a question's conversation, once what the model called it was read."""
    taken = len(broker.titles_taken)
    await tab.say(**send(question))
    ack = await tab.until("ack")
    await tab.reply()
    await eventually(lambda: len(broker.titles_taken) > taken)
    return str((await Conversation.objects.aget(pk=ack["conversation"]["id"])).title)


async def test_a_title_from_the_model_counts_towards_no_quota(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab, other = await tabs("alice"), await tabs("alice")
    assert await titled(tab, broker, f"{FIRST}\ntitle:A morning greeting") == "A morning greeting"
    while (await other.until("conversation"))["conversation"]["title"] != "A morning greeting":
        pass  # the plain one, when the conversation began
    assert await Message.objects.acount() == 2
    entry = await eventually(lambda: UsageEntry.objects.exclude(settled_at=None).first())
    assert entry.completion_tokens == 5  # of the answer
    assert (await UsageCounter.objects.aget()).used == entry.prompt_tokens + 5


async def test_only_the_first_answer_is_asked_for_a_title(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    assert await titled(tab, broker, FIRST) == FIRST  # the model found none
    answer = await Message.objects.aget(role="assistant")
    await tab.say(**send("echo:again\ntitle:Too late", str(answer.conversation_id), str(answer.pk)))
    await tab.reply()
    assert await titled(tab, broker, f"{FIRST}\ntitle:Another talk") == "Another talk"
    assert sorted([each.title async for each in Conversation.objects.all()]) == ["Another talk", FIRST]
    assert len(broker.titles_taken) == 2


async def test_a_title_from_a_person_stays(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    broker.may_take_titles.clear()
    tab = await tabs("alice")
    await tab.say(**send(f"{FIRST}\ntitle:A morning greeting"))
    await tab.reply()
    mine = await Conversation.objects.select_related("owner").aget()
    await sync_to_async(rename_conversation)(conversation=mine, title="Mine")
    broker.may_take_titles.set()
    await eventually(lambda: broker.titles_taken)
    await mine.arefresh_from_db()
    assert mine.title == "Mine"


@pytest.mark.parametrize("applies", ["prompt", "reply", "both"])
async def test_a_title_that_a_rule_forbids_is_not_stored(tabs: Any, broker: Any, applies: str) -> None:
    await Rule.objects.acreate(name="b", options={"pattern": "rude word"}, applies=applies, active=False)
    broker.start_worker()
    broker.may_take_titles.clear()
    tab = await tabs("alice")
    await tab.say(**send(f"{FIRST}\ntitle:A rude word"))
    await tab.reply()
    await Rule.objects.aupdate(active=True)
    broker.may_take_titles.set()
    await eventually(lambda: broker.titles_taken)
    assert (await Conversation.objects.aget()).title == FIRST


async def test_a_hidden_answer_gives_no_title(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    broker.may_take_titles.clear()
    tab = await tabs("alice")
    await tab.say(**send(f"{FIRST}\ntitle:A morning greeting"))
    await tab.reply()
    await Message.objects.filter(role="assistant").aupdate(hidden_at="2020-01-01T00:00:00Z")
    broker.may_take_titles.set()
    await eventually(lambda: broker.titles_taken)
    assert (await Conversation.objects.aget()).title == FIRST


async def test_a_title_gives_way_to_a_reply(tabs: Any, broker: Any) -> None:
    """The worker's one place is free again at once, and the title under way comes to nothing."""
    engine = broker.start_worker(slots=1).engine
    alice, bob = await tabs("alice"), await tabs("bob")
    await alice.say(**send(FIRST + SLOWLY))
    await alice.reply()
    await eventually(lambda: Message.objects.filter(role="assistant", status="complete").exists())
    await eventually(lambda: engine.busy)  # with the title
    await bob.say(**send("hello\ntitle:A greeting"))
    _, done = await bob.reply()
    assert done["status"] == "complete"
    await eventually(lambda: broker.titles_taken)  # bob's
    titles = {each.owner.email: each.title async for each in Conversation.objects.select_related("owner")}
    assert titles == {"alice@example.org": FIRST, "bob@example.org": "A greeting"}
    assert len(broker.titles_taken) == 1


async def test_no_title_while_somebody_waits(tabs: Any, broker: Any) -> None:
    engine = broker.start_worker(slots=1).engine
    alice, bob = await tabs("alice"), await tabs("bob")
    await alice.say(**send("slow:30:20\ntitle:Counting"))
    await alice.until("token")
    await bob.say(**send("echo:bob\ntitle:About bob"))
    await bob.until("queued")
    await bob.reply()
    await eventually(lambda: broker.titles_taken and not engine.busy)
    titles = {each.owner.email: each.title async for each in Conversation.objects.select_related("owner")}
    assert titles == {"alice@example.org": "slow:30:20", "bob@example.org": "About bob"}


async def test_no_title_is_made_where_titles_are_switched_off(
    tabs: Any, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.settings.TITLES", False)
    asked: list[str] = []
    runtime = broker.start_worker()
    monkeypatch.setattr(runtime.titles, "offer", lambda held: asked.append(uuid.uuid4().hex))
    tab = await tabs("alice")
    for _ in range(2):  # the second reply begins after the first one's slot was looked at
        await tab.say(**send(f"{FIRST}\ntitle:A morning greeting"))
        await tab.reply()
    assert not asked


QUESTION = "How do I cook rice?\nRinse it, then use two cups of water for one of rice."


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("Cooking rice", "Cooking rice"),
        ('  **"Cooking rice."**  ', "Cooking rice"),
        ("## Title: Cooking rice", "Cooking rice"),
        ("Titre : « Cuire le riz »", "Cuire le riz"),
        ("- `Rice` in C#", "Rice in C#"),
        ("Rice\u202e gnikooc\u0007", "Rice gnikooc"),
        ("Rice, water; what else?", "Rice, water; what else?"),
        ("", ""),
        ("…", ""),
        ("2 + 2", ""),
        ("rice rice rice rice", ""),
        ("Варка риса", ""),
        ("煮饭", ""),
        ("<think>", ""),
        ("A title that goes on and on until it is far longer than any side bar is wide", ""),
    ],
)
def test_a_title_is_found_in_a_models_words(words: str, title: str) -> None:
    assert title_of(words, QUESTION) == title


def test_a_title_may_have_any_script_of_the_conversation() -> None:
    assert title_of("Варка риса", "Как варить рис?") == "Варка риса"
