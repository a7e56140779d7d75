"""Measures how much of the model's context a conversation fills, for the gauge beside the message box."""

from __future__ import annotations

from typing import Any

from chat.conversations.branches import current_leaf
from chat.conversations.models import Conversation
from chat.core.text import estimate_tokens
from chat.personas import services as personas
from chat.turns.models import LIVE, Generation
from chat.turns.prompts import prompt_of


def context_usage(conversation: Conversation) -> dict[str, Any]:
    """Returns the tokens of the branch that its owner has open: exact where a worker has counted them,
    else an estimate."""
    leaf = current_leaf(conversation.owner, conversation)
    tokens, exact = 0, True
    if leaf is not None:
        last = Generation.objects.steps_of(leaf).exclude(status__in=LIVE).last()
        if last is not None and last.prompt_tokens:
            tokens, exact = last.prompt_tokens + last.completion_tokens, not last.is_usage_estimated
        else:
            exact = False
            system = personas.system_text(
                conversation.owner, personas.get_conversation_settings(conversation).persona
            )
            prompt = prompt_of(leaf, system=system)
            tokens = sum(estimate_tokens(message["content"]) for message in prompt)
    return {"context": {"tokens": tokens, "exact": exact, "limit": conversation.model.context_tokens}}
