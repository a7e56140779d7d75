"""Chooses the answer up to which the oldest turns of a branch should be summarised."""

from __future__ import annotations

from collections.abc import Sequence

from chat.conversations.branches import turns_of
from chat.conversations.models import Conversation, Message, Role
from chat.conversations.tree import texts_to
from chat.core.text import estimate_tokens
from chat.files import services as files
from chat.model_cards.models import ModelCard
from chat.personas import services as personas
from chat.turns import summaries
from chat.turns.models import Summary, SummaryStatus
from chat.turns.prompts import HISTORY_MESSAGES

STAYS = 0.4  # of the context: so much of the newest turns is not summarised
READ_AT_ONCE = 0.6  # of the context: longer beginnings are summarised in pieces
MOST_FAILURES = 2  # for one place: then it is left alone


def place_for(answer: Message, card: ModelCard) -> Message | None:
    """Returns the message up to which the branch of an answer should be summarised now; None for nowhere."""
    path = texts_to(answer, HISTORY_MESSAGES)
    if any(row.status != SummaryStatus.READY for row in summaries.latest_on(path)):
        return None  # one is being written, or the person wants none of these turns
    earlier = summaries.in_use(path, card.context)
    turns = turns_of(summaries.after(earlier, path))
    sizes = [sum(_tokens(turn)) for turn in turns]
    staying = len(turns) - 1
    while staying > 0 and sum(sizes[staying - 1 :]) <= STAYS * card.context:
        staying -= 1
    end, size = None, estimate_tokens(system_text(answer.conversation))
    size += estimate_tokens(earlier.text) if earlier else 0
    for turn, tokens in zip(turns[:staying], sizes, strict=False):
        size += tokens
        if size > READ_AT_ONCE * card.context:
            break
        if turn[-1].role == Role.ASSISTANT:
            end = turn[-1]
    if end is None or _failures(end) >= MOST_FAILURES:
        return None
    return end


def _tokens(messages: Sequence[Message]) -> list[int]:
    texts = files.contents([message for message in messages if message.hidden_at is None])
    return [estimate_tokens(text) for text in texts.values()]


def _failures(end: Message) -> int:
    return Summary.objects.filter(last=end, status=SummaryStatus.FAILED).count()


def system_text(conversation: Conversation) -> str:
    persona = personas.get_conversation_settings(conversation).persona
    return personas.system_text(conversation.owner, persona)
