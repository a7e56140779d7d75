"""Keeps the pins of an imported conversation within the limits of pins that are set here."""

from __future__ import annotations

from chat.conversations.models import Role
from chat.core.text import estimate_tokens
from chat.model_cards.models import ModelCard
from chat.transfer.imported_conversation import ImportedConversation
from chat.turns.pin_limits import LARGEST, MOST_PINS


def limit_pins(draft: ImportedConversation, model: ModelCard) -> None:
    """Drops pins beyond MOST_PINS, and those whose turns take too much of the model's context on a branch;
    the notes count them. Files are not counted: a prompt leaves out pinned turns that it has no room for."""
    texts = {node.key: node.words for node in draft.nodes}
    tokens: dict[str | None, int] = {None: 0}  # of the pinned turns from the first message down to this one
    kept: set[str] = set()
    for node in draft.nodes:  # parents come before their answers
        above = tokens[node.parent]
        size = 0
        if node.pinned:
            size = estimate_tokens(node.words)
            if node.role == Role.ASSISTANT and node.parent not in kept:
                size += estimate_tokens(texts.get(node.parent or "", ""))
            if len(kept) == MOST_PINS or above + size > model.context // LARGEST:
                node.pinned, size = False, 0
                draft.leave_out("pin")
            else:
                kept.add(node.key)
        tokens[node.key] = above + size
