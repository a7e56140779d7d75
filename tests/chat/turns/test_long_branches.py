"""A branch longer than a prompt is summarised from its oldest message, in pieces that follow each other."""

from __future__ import annotations

from typing import Any

import pytest

from chat.conversations.models import Message
from chat.personas.models import CustomInstructions
from chat.turns import summary_asking
from chat.turns.frozen_prompt import FrozenPrompt
from chat.turns.models import Generation, Summary
from chat.turns.prompts import prompt_of
from inference.contract import GenerationRequest
from inference.wire import scripts
from tests.chat.conversations.building import long_talk

pytestmark = pytest.mark.django_db(transaction=True)


def considered(cast: Any, answer: Message, messages: int = 400, tokens: int = 10) -> Summary | None:
    """Returns the summary that is asked for after a reply whose prompt had so many messages and tokens."""
    step = Generation.objects.create(
        message=answer,
        user=cast.alice,
        model="scripted",
        seed=1,
        status="complete",
        prompt_tokens=tokens,
        prompt=FrozenPrompt(messages=messages),
    )
    before = set(Summary.objects.values_list("pk", flat=True))
    summary_asking.consider(step)
    return Summary.objects.exclude(pk__in=before).first()


def read_by(redis_client: Any, summary: Summary) -> list[str]:
    payload: Any = redis_client.hget(scripts.key("gen", str(summary.pk)), "payload")
    return [each["content"] for each in GenerationRequest.from_json(payload).messages]


@pytest.fixture(autouse=True)
def _context(model_card: Any) -> None:
    type(model_card).objects.update(context_tokens=100_000)


def test_pieces_follow_each_other_from_the_oldest_message(cast: Any, broker: Any, redis_client: Any) -> None:
    _, messages = long_talk(cast.alice, 1000)
    covered = []
    for piece in (1, 2):
        summary = considered(cast, messages[-1])
        assert summary is not None
        covered.append(int(summary.last.text[1:]))
        read = read_by(redis_client, summary)
        if piece == 1:
            assert read[:399] == [f"m{number}" for number in range(398)] + [read[398]]
        else:
            assert "Piece 1." in read[0]
            assert read[1:3] == ["m398", "m399"]
        Summary.objects.filter(pk=summary.pk).update(
            status="ready", text=f"Piece {piece}.", finished_at="2026-01-01T00:00:00Z"
        )
        Generation.objects.all().delete()
    assert covered == [397, 795]
    (question,) = [
        Message.objects.create(
            conversation=messages[-1].conversation, parent=messages[-1], role="user", text="And now?"
        )
    ]
    prompt = [each["content"] for each in prompt_of(question)]
    assert prompt[0].endswith("Piece 2.")
    assert prompt[1:3] == ["m796", "m797"]
    assert considered(cast, messages[-1]) is None  # 204 messages are below it


def test_a_summary_far_above_what_a_prompt_reads_is_in_it(cast: Any) -> None:
    conversation, messages = long_talk(cast.alice, 801)
    Summary.objects.create(
        conversation=conversation,
        user=cast.alice,
        last=messages[99],
        status="ready",
        text="Early.",
        model="m",
        is_edited=True,
    )
    prompt = [each["content"] for each in prompt_of(Message.objects.get(pk=messages[-1].pk))]
    assert prompt[0].endswith("Early.")
    assert (len(prompt), prompt[-1]) == (402, "m800")


def test_few_messages_in_an_empty_context_are_not_summarised(cast: Any, broker: Any) -> None:
    _, messages = long_talk(cast.alice, 1000)
    assert considered(cast, messages[301], messages=302) is None
    Generation.objects.all().delete()
    CustomInstructions.objects.create(user=cast.alice, compact=False)
    assert considered(cast, messages[-1]) is None


def test_more_messages_than_a_prompt_has_are_not_summarised_at_once(cast: Any, broker: Any) -> None:
    _, messages = long_talk(cast.alice, 1000)
    client = cast.client("alice")
    answer = client.post(f"/api/messages/{messages[401].pk}/summary/", "{}", "application/json")
    assert (answer.status_code, answer.json()["error"]["words"]) == (
        400,
        "This is too long to be summarised at once. Summarise up to an earlier answer.",
    )
    answer = client.post(f"/api/messages/{messages[399].pk}/summary/", "{}", "application/json")
    assert answer.json()["message"]["summary"]["status"] == "waiting"
