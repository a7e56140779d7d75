"""Measures how much of the model's context a conversation fills, for the gauge beside the message box.

Where it is nearly full, the page also learns what the next prompt will leave out: the turns of the branch
with their tokens, and how many tokens a prompt may have (the rule is that of inference/text/prompt.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import F, Sum

from chat.conversations.branches import current_leaf
from chat.conversations.models import Conversation, Message, Role
from chat.conversations.titles import title_from
from chat.conversations.tree import texts_to
from chat.core.text import estimate_tokens
from chat.files import services as files
from chat.model_cards.capabilities import capabilities_of
from chat.model_cards.limits import answer_tokens
from chat.personas import services as personas
from chat.turns import summaries
from chat.turns.continued_thought import continued_thought
from chat.turns.models import LIVE, Generation, Part, Summary
from chat.turns.prompts import HISTORY_MESSAGES, estimate_prompt, prompt_of
from chat.turns.settlement import settle_if_ended
from inference.contract import Kind

MOST_TURNS = 100  # named to the page, oldest first


@dataclass(frozen=True, slots=True)
class Measured:
    """The tokens of a branch. `exact`: its model's worker counted all of them."""

    tokens: int
    exact: bool


def context_usage(conversation: Conversation) -> dict[str, Any]:
    """Returns the tokens of the branch that its owner has open: exact where a worker has counted them,
    else an estimate."""
    leaf = current_leaf(conversation.owner, conversation)
    limit = conversation.model.context
    if leaf is None:
        return {"context": {"tokens": 0, "exact": True, "limit": limit}}
    measured = _measured(conversation, leaf)
    use: dict[str, Any] = {"tokens": measured.tokens, "exact": measured.exact, "limit": limit}
    if measured.tokens >= summaries.NEARLY_FULL * limit:
        use |= {"room": room_of(conversation), "turns": _turns(leaf, measured)}
    return {"context": use}


def settled_context_usage(conversation: Conversation) -> dict[str, Any]:
    """Returns the same right after a reply has ended, which a page learns a moment before the row does.

    Must not be called inside a transaction, since Redis is asked (rule 14).
    """
    leaf = current_leaf(conversation.owner, conversation)
    if leaf is not None:
        settle_if_ended(leaf.pk)
    return context_usage(conversation)


def room_of(conversation: Conversation) -> int:
    """Returns how many tokens the next prompt may have beside its answer."""
    limit = conversation.model.context
    chosen = personas.get_conversation_settings(conversation).settings.get("max_tokens")
    longest = answer_tokens(conversation.model).usual if chosen is None else int(chosen)
    return limit - min(longest, limit // 2)


def _measured(conversation: Conversation, leaf: Message) -> Measured:
    steps = list(Generation.objects.steps_of(leaf).exclude(status__in=LIVE))
    last = steps[-1] if steps else None
    if last is None or not last.prompt_tokens:
        return Measured(_estimate(conversation, leaf), exact=False)
    if _has_another_summary(conversation, leaf, last):
        return Measured(_estimate(conversation, leaf), exact=False)
    continued = continued_thought(last)
    counted = last.prompt_tokens + last.completion_tokens - _thought_tokens(last)
    if continued:  # the prompt had it, and nobody counted it alone
        counted = max(0, counted - estimate_tokens(continued))
    if last.turns_left_out:  # its worker counted only what it read
        return Measured(max(_estimate(conversation, leaf), counted), exact=False)
    # The next prompt has neither calls nor their results, and another model has other tokens.
    is_same = len(steps) == 1 and last.model == conversation.model_id and not continued
    return Measured(counted, exact=is_same and not last.is_usage_estimated)


def _has_another_summary(conversation: Conversation, leaf: Message, last: Generation) -> bool:
    """Returns whether the next prompt uses another summary than the last one, or no longer one."""
    if not Summary.objects.filter(conversation=conversation).exists():
        return False
    used = summaries.in_use([*texts_to(leaf, HISTORY_MESSAGES), leaf])
    read: UUID | None = last.prompt.summary
    return read != (used.pk if used else None)


def _estimate(conversation: Conversation, leaf: Message) -> int:
    persona = personas.get_conversation_settings(conversation).persona
    sees = capabilities_of(conversation.model).images
    prompt = prompt_of(leaf, system=personas.system_text(conversation.owner, persona), sees=sees)
    return estimate_prompt(prompt)


def _thought_tokens(step: Generation) -> int:
    """Returns the tokens of thoughts among those that the step wrote: later prompts leave them out."""
    if not step.has_parts or step.logged_tokens is not None:
        return 0
    thoughts = Part.objects.filter(generation=step, kind=Kind.THOUGHT)
    return thoughts.aggregate(tokens=Sum(F("seq") - F("after")))["tokens"] or 0


def _turns(leaf: Message, measured: Measured) -> list[dict[str, Any]]:
    """Returns the turns of a branch, oldest first: their first and last message, the first words, and tokens,
    which are shares of what was measured."""
    branch = texts_to(leaf, HISTORY_MESSAGES)
    branch = list(summaries.after(summaries.in_use([*branch, leaf]), branch))
    path = [message for message in branch if message.role != Role.SYSTEM]
    texts = files.contents([message for message in path if message.hidden_at is None])
    turns: list[dict[str, Any]] = []
    for message in path:
        if message.role == Role.USER or not turns:
            words = "" if message.hidden_at else title_from(message.text)
            turns.append({"first": str(message.pk), "words": words, "tokens": 0})
        turns[-1]["last"] = str(message.pk)
        turns[-1]["tokens"] += estimate_tokens(texts.get(message.pk, ""))
    estimated = sum(turn["tokens"] for turn in turns)
    for turn in turns:
        turn["tokens"] = round(turn["tokens"] * measured.tokens / max(1, estimated))
    return turns[:MOST_TURNS]
