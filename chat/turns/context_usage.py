"""Measures how much of the model's context a conversation fills, for the gauge beside the message box.

Where it is nearly full, the page also learns what the next prompt will leave out: the turns of the branch
with their tokens, and how many tokens a prompt may have (the rule is that of inference/text/prompt.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import F, Sum

from chat.conversations.branches import current_leaf, turns_of
from chat.conversations.models import Conversation, Message, Role
from chat.conversations.titles import title_from
from chat.core.text import estimate_tokens
from chat.model_cards.capabilities import capabilities_of
from chat.model_cards.limits import answer_tokens
from chat.personas import services as personas
from chat.personas.models import ConversationSettings
from chat.turns import summaries
from chat.turns.continued_thought import continued_thought
from chat.turns.models import LIVE, Generation, Part, Summary
from chat.turns.prompts import BuiltPrompt, build_prompt, estimate_prompt
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
    branch = _Branch(conversation, leaf)
    measured = _measured(branch)
    use: dict[str, Any] = {"tokens": measured.tokens, "exact": measured.exact, "limit": limit}
    if measured.tokens >= summaries.NEARLY_FULL * limit:
        use |= {"room": room_of(branch.chosen), "turns": _turns(branch, measured)}
    return {"context": use}


def settled_context_usage(conversation: Conversation) -> dict[str, Any]:
    """Returns the same right after a reply has ended, which a page learns a moment before the row does.

    Must not be called inside a transaction, since Redis is asked (rule 14).
    """
    leaf = current_leaf(conversation.owner, conversation)
    if leaf is not None:
        settle_if_ended(leaf.pk)
    return context_usage(conversation)


def room_of(chosen: ConversationSettings) -> int:
    """Returns how many tokens the next prompt of this conversation may have beside its answer."""
    model = chosen.conversation.model
    tokens = chosen.settings.get("max_tokens")
    longest = answer_tokens(model).usual if tokens is None else int(tokens)
    return model.context - min(longest, model.context // 2)


class _Branch:
    """Reads what the next prompt of a branch is made of, each part once and only if it is asked for."""

    def __init__(self, conversation: Conversation, leaf: Message) -> None:
        self.conversation = conversation
        self.leaf = leaf

    @cached_property
    def chosen(self) -> ConversationSettings:
        return personas.get_conversation_settings(self.conversation)

    @cached_property
    def prompt(self) -> BuiltPrompt:
        system = personas.system_text(self.conversation.owner, self.chosen.persona)
        sees = capabilities_of(self.conversation.model).images
        return build_prompt(self.leaf, system=system, sees=sees, is_answered=True)

    def estimate(self) -> int:
        return estimate_prompt(self.prompt.messages)


def _measured(branch: _Branch) -> Measured:
    steps = list(Generation.objects.steps_of(branch.leaf).exclude(status__in=LIVE))
    last = steps[-1] if steps else None
    if last is None or not last.prompt_tokens or _has_another_summary(branch, last):
        return Measured(branch.estimate(), exact=False)
    continued = continued_thought(last)
    counted = last.prompt_tokens + last.completion_tokens - _thought_tokens(last)
    if continued:  # the prompt had it, and nobody counted it alone
        counted = max(0, counted - estimate_tokens(continued))
    if last.turns_left_out:  # its worker counted only what it read
        return Measured(max(branch.estimate(), counted), exact=False)
    # The next prompt has neither calls nor their results, and another model has other tokens.
    is_same = len(steps) == 1 and last.model == branch.conversation.model_id and not continued
    return Measured(counted, exact=is_same and not last.is_usage_estimated)


def _has_another_summary(branch: _Branch, last: Generation) -> bool:
    """Returns whether the next prompt uses another summary than the last one, or no longer one, or has other
    pinned turns that it covers."""
    if not Summary.objects.filter(conversation=branch.conversation).exists():
        return False
    read, now = last.prompt, branch.prompt.frozen
    return read.summary != now.summary or set(read.pinned) != set(now.pinned)


def _thought_tokens(step: Generation) -> int:
    """Returns the tokens of thoughts among those that the step wrote: later prompts leave them out."""
    if not step.has_parts or step.logged_tokens is not None:
        return 0
    thoughts = Part.objects.filter(generation=step, kind=Kind.THOUGHT)
    return thoughts.aggregate(tokens=Sum(F("seq") - F("after")))["tokens"] or 0


def _turns(branch: _Branch, measured: Measured) -> list[dict[str, Any]]:
    """Returns the turns of a branch, oldest first: their first and last message, the first words, and tokens,
    which are shares of what was measured. Those that are pinned are never left out."""
    texts = {message.pk: text for message, text in branch.prompt.read}
    path = [message for message, _ in branch.prompt.read if message.role != Role.SYSTEM]
    turns = turns_of(path)
    sizes = [sum(estimate_tokens(texts[message.pk]) for message in turn) for turn in turns]
    share = measured.tokens / max(1, sum(sizes))
    pins = set(branch.prompt.frozen.pinned)
    return [
        {
            "first": str(turn[0].pk),
            "last": str(turn[-1].pk),
            "words": "" if turn[0].hidden_at else title_from(turn[0].text),
            "tokens": round(size * share),
            **({"pinned": True} if pins.intersection(message.pk for message in turn) else {}),
        }
        for turn, size in zip(turns, sizes, strict=True)
    ][:MOST_TURNS]
