"""Pinned messages stay in prompts, whatever is left out or summarised, for their owner alone."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chat.conversations.models import Conversation, Message
from chat.turns import summaries
from chat.turns.models import Summary
from chat.turns.prompts import build_prompt, prompt_of
from inference.text.prompt import fit
from tests.chat.conversations.building import live_reply, long_talk, say, talk

pytestmark = pytest.mark.django_db(transaction=True)


def pin(cast: Any, message: Message, who: str = "alice", *, pinned: bool = True) -> Any:
    """Pins or unpins; returns the message as the answer has it, or the status and words of the refusal."""
    client = cast.client(who)
    answer = (client.put if pinned else client.delete)(f"/api/messages/{message.pk}/pin/")
    if answer.status_code == 200:
        return answer.json()["message"]
    return answer.status_code, answer.json()["error"]["words"]


def said(conversation: Conversation) -> dict[str, Message]:
    return {message.text: message for message in conversation.messages.all()}


def contents(message: Message) -> list[str]:
    return [each["content"] for each in prompt_of(message)]


def summarise(conversation: Conversation, last: Message) -> Summary:
    return Summary.objects.create(
        conversation=conversation,
        user=conversation.owner,
        last=last,
        status="ready",
        text="The gist.",
        is_edited=True,
        model="scripted",
    )


def test_a_pinned_turn_is_the_last_that_a_worker_leaves_out(cast: Any, model_card: Any) -> None:
    talked = talk(cast.alice, "one", "two", "three", "four", "five", "six", "seven")
    names = said(talked)
    assert pin(cast, names["four"])["pinned"] is True
    prompt = prompt_of(names["seven"])
    fitted = fit(
        prompt,
        lambda chosen: [0] * len(" ".join(m["content"] for m in chosen)),
        context=40,
        max_new_tokens=20,
    )
    assert (len(fitted.ids), fitted.left_out) == (len("three four seven"), 2)
    assert pin(cast, names["four"], pinned=False)["pinned"] is False
    assert not any(each.get("pinned") for each in prompt_of(said(talked)["seven"]))


def test_a_pinned_turn_that_a_summary_covers_follows_it(cast: Any, model_card: Any) -> None:
    talked = talk(cast.alice, "one", "two", "three", "four", "five", "six", "seven")
    names = said(talked)
    summarise(talked, names["six"])
    pin(cast, names["three"])
    assert contents(names["seven"])[1:] == ["three", "four", "seven"]
    assert contents(names["seven"])[0].endswith("The gist.")
    (again,) = say(talked, "three, edited", under=names["two"])
    assert contents(again) == ["one", "two", "three, edited"]


def test_a_later_attempt_reads_what_was_pinned_at_the_first(cast: Any, model_card: Any) -> None:
    talked = talk(cast.alice, "one", "two", "three", "four", "five")
    names = said(talked)
    summarise(talked, names["four"])
    pin(cast, names["one"])
    first = build_prompt(names["five"])
    pin(cast, names["one"], pinned=False)
    pin(cast, names["three"])
    again = build_prompt(said(talked)["five"], frozen=first.frozen)
    assert (again.messages, again.frozen) == (first.messages, first.frozen)
    assert contents(said(talked)["five"])[1:] == ["three", "four", "five"]


def test_a_hidden_message_is_not_read_although_it_is_pinned(cast: Any, model_card: Any) -> None:
    talked = talk(cast.alice, "one", "two", "three")
    names = said(talked)
    pin(cast, names["one"])
    Message.objects.filter(pk=names["one"].pk).update(hidden_at="2026-01-01T00:00:00Z")
    assert contents(said(talked)["three"]) == ["…", "two", "three"]
    status, _words = pin(cast, said(talked)["one"])
    assert status == 400


def test_pins_above_the_messages_that_a_prompt_reads_are_in_it(cast: Any, model_card: Any) -> None:
    _, messages = long_talk(cast.alice, 1001)
    pin(cast, messages[7])
    pin(cast, messages[20])
    question = Message.objects.get(pk=messages[-1].pk)
    built = build_prompt(question)
    read = [each["content"] for each in built.messages]
    assert read[:5] == ["m6", "m7", "m20", "m21", "…"]
    assert read[5:] == [f"m{number}" for number in range(601, 1001)]
    pin(cast, messages[7], pinned=False)
    assert build_prompt(question, frozen=built.frozen).frozen.sha256 == built.frozen.sha256


def test_at_most_a_quarter_of_the_context_and_fifty_messages_are_pinned(cast: Any, model_card: Any) -> None:
    type(model_card).objects.update(context_tokens=4096)
    talked = talk(cast.alice, "w " * 1000, "one", "w " * 1000, "two")  # 675 tokens each
    assert pin(cast, said(talked)["one"])["pinned"] is True
    assert pin(cast, said(talked)["two"]) == (
        400,
        "With this message the pinned ones would have about 1,350 tokens; for this model they may have "
        "1,024. Unpin others first.",
    )
    (other, _) = say(talked, "another beginning", "and its answer")
    assert pin(cast, other)["pinned"] is True  # of another branch
    _, messages = long_talk(cast.alice, 52)
    Message.objects.filter(pk__in=[each.pk for each in messages[:50]]).update(pinned=True)
    assert pin(cast, messages[51]) == (
        400,
        "At most 50 messages of a conversation can be pinned, on all its branches together.",
    )


def test_a_pin_counts_on_every_branch_that_its_message_is_part_of(cast: Any, model_card: Any) -> None:
    type(model_card).objects.update(context_tokens=4096)
    talked = talk(cast.alice, "v " * 600, "two", "w " * 1000, "four")  # 403 and 670 tokens, of 1,024
    names = said(talked)
    assert pin(cast, names["four"])["pinned"] is True
    other, _answer = say(talked, "another way", "and its answer", under=names["two"])
    assert pin(cast, other)["pinned"] is True  # it is on the open branch alone
    status, words = pin(cast, names["two"])
    assert status == 400
    assert words.startswith("This message is on another branch, too, whose pinned ones would have about ")
    assert pin(cast, names["four"], pinned=False)["pinned"] is False
    assert pin(cast, names["two"])["pinned"] is True


def test_a_pinned_question_counts_with_each_of_its_answers(cast: Any, model_card: Any) -> None:
    type(model_card).objects.update(context_tokens=4096)
    talked = talk(cast.alice, "v " * 600, "short")  # 403 tokens, of 1,024
    asked = said(talked)["v " * 600]
    Message.objects.create(conversation=talked, parent=asked, role="assistant", text="w " * 1000)  # 670
    status, words = pin(cast, asked)
    assert status == 400
    assert words.startswith("This message is on another branch, too")


@pytest.mark.parametrize(("who", "status"), [("bob", 404), ("staff", 404), ("anonymous", 401)])
def test_only_the_owner_pins(cast: Any, who: str, status: int, model_card: Any) -> None:
    message = said(talk(cast.alice, "one", "two"))["one"]
    for pinned in (True, False):
        assert pin(cast, message, who, pinned=pinned)[0] == status
    assert not Message.objects.filter(pinned=True).exists()


def test_an_answer_that_is_being_written_is_not_pinned(cast: Any, model_card: Any) -> None:
    reply = live_reply(talk(cast.alice))
    assert pin(cast, reply) == (400, "Only a question or a finished answer can be pinned.")


async def test_other_tabs_hear_of_a_pin(tabs: Any, cast: Any, model_card: Any) -> None:
    talked = await sync_to_async(talk)(cast.alice, "one", "two")
    message = (await sync_to_async(said)(talked))["one"]
    tab = await tabs("alice")
    for pinned in (True, False):
        await sync_to_async(pin)(cast, message, pinned=pinned)
        frame = await tab.until("message")
        assert (frame["message"]["id"], frame["message"]["pinned"]) == (str(message.pk), pinned)


def test_the_gauge_is_told_which_turns_stay(cast: Any, model_card: Any) -> None:
    type(model_card).objects.update(context_tokens=4096)
    talked = talk(cast.alice, "one", "w " * 3000, "three", "w " * 3000, "five", "six")
    pin(cast, said(talked)["three"])  # its answer is too long for a pin
    Message.objects.filter(text="three").update(pinned=True)
    context = cast.client("alice").get(f"/api/conversations/{talked.pk}/context/").json()["context"]
    assert [turn.get("pinned", False) for turn in context["turns"]] == [False, True, False]
    assert context["tokens"] > summaries.NEARLY_FULL * 4096
