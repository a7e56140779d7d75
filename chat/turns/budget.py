"""How much of the model's context a conversation fills, for the gauge beside the message box."""

from __future__ import annotations

from typing import Any

from chat.conversations.models import Conversation
from chat.conversations.services import current_leaf
from chat.core.text import estimate_tokens
from chat.turns import services
from chat.turns.models import LIVE, Generation
from chat.voice import services as voice


def context_of(conversation: Conversation) -> dict[str, Any]:
    """Along the branch its owner has open. What a worker has counted is exact; anything else is estimated."""
    leaf = current_leaf(conversation.owner, conversation)
    tokens, exact = 0, True
    if leaf is not None:
        last = Generation.objects.filter(message=leaf).exclude(status__in=LIVE).first()
        if last is not None and last.prompt_tokens:
            tokens = last.prompt_tokens + last.completion_tokens
        else:
            exact = False
            system = voice.system_text(conversation.owner, voice.manner_of(conversation).persona)
            read = services.prompt_of(leaf, system=system)
            tokens = sum(estimate_tokens(each["content"]) for each in read)
    return {"context": {"tokens": tokens, "exact": exact, "limit": conversation.model.context_tokens}}
