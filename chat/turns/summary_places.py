"""Chooses the answer up to which the oldest turns of a branch should be summarised."""

from __future__ import annotations

from collections.abc import Sequence

from chat.conversations.branches import turns_of
from chat.conversations.models import Conversation, Message, Role
from chat.conversations.tree import BRANCH_MESSAGES, ids_to, read_messages
from chat.core.text import estimate_tokens
from chat.files import prompt_text
from chat.model_cards.models import ModelCard
from chat.personas import services as personas
from chat.turns import summaries
from chat.turns.models import Summary, SummaryStatus
from chat.turns.prompts import HISTORY_MESSAGES

STAYS = 0.4  # of the context, and of a prompt's messages: so much of the newest turns is not summarised
READ_AT_ONCE = 0.6  # of the context: longer beginnings are summarised in pieces
MANY_MESSAGES = int(summaries.NEARLY_FULL * HISTORY_MESSAGES)  # then a branch needs a summary, however short
MOST_FAILURES = 2  # for one place: then it is left alone


def place_for(answer: Message, card: ModelCard, *, is_full: bool) -> Message | None:
    """Returns the message up to which the branch of an answer should be summarised now; None for nowhere.

    `is_full`: the context is. A branch longer than a prompt is read from its oldest message that no summary
    covers, so that nothing is passed over.
    """
    branch = ids_to(answer, BRANCH_MESSAGES)
    latest = summaries.latest_in(answer.conversation_id)
    if any(row.status != SummaryStatus.READY for row in summaries.on_branch(latest, branch)):
        return None  # one is being written, or the person wants none of these turns
    earlier = summaries.in_use(latest, branch, answer, card.context)
    ids = summaries.ids_after(earlier, branch)
    if not is_full and len(ids) < MANY_MESSAGES:
        return None
    turns = turns_of(read_messages(ids[:HISTORY_MESSAGES]))
    sizes = _sizes(turns)
    end, size = None, estimate_tokens(system_text(answer.conversation))
    size += estimate_tokens(earlier.text) if earlier else 0
    for turn, tokens in zip(turns[: _not_staying(turns, sizes, len(ids), card)], sizes, strict=False):
        size += tokens
        if size > READ_AT_ONCE * card.context:
            break
        if turn[-1].role == Role.ASSISTANT:
            end = turn[-1]
    if end is None or _failures(end) >= MOST_FAILURES:
        return None
    return Message.objects.select_related("conversation").get(pk=end.pk)


def _not_staying(turns: Sequence[list[Message]], sizes: Sequence[int], messages: int, card: ModelCard) -> int:
    """Returns how many of the oldest turns may be summarised; `messages` are those below the last summary."""
    first = len(turns) - 1
    below, tokens = messages - sum(len(turn) for turn in turns[:first]), sum(sizes[first:])
    while first > 0:
        below, tokens = below + len(turns[first - 1]), tokens + sizes[first - 1]
        if tokens > STAYS * card.context or below > STAYS * HISTORY_MESSAGES:
            break
        first -= 1
    return first


def _sizes(turns: Sequence[Sequence[Message]]) -> list[int]:
    """Estimates the tokens of each turn with its files, which are read at once."""
    texts = prompt_text.contents([each for turn in turns for each in turn if each.hidden_at is None])
    return [sum(estimate_tokens(texts.get(each.pk, "")) for each in turn) for turn in turns]


def _failures(end: Message) -> int:
    return Summary.objects.filter(last=end, status=SummaryStatus.FAILED).count()


def system_text(conversation: Conversation) -> str:
    persona = personas.get_conversation_settings(conversation).persona
    return personas.system_text(conversation.owner, persona)
