"""Tells in which column an answer stands, where two models answer one question side by side.

The answers are siblings, each an ordinary reply with its own row, reservation and place in the queue. Their
first step stores the column, and an answer that is asked for again or continued from one stays in its column.
"""

from __future__ import annotations

import hashlib

from chat.conversations.models import Message
from chat.turns.models import Generation

FIRST, SECOND = 1, 2


def client_id_beside(client_id: str) -> str:
    """Returns the client_id under which the second answer of a send is stored, so that a retry finds both."""
    return hashlib.sha256(f"beside {client_id}".encode("utf-8", "surrogatepass")).hexdigest()


def column_of(answer: Message) -> int:
    """Returns the column of an answer; 0 for an answer alone, and once a question follows it."""
    first = Generation.objects.steps_of(answer).first()
    if first is None or not first.parameters.column or answer.children.exists():
        return 0
    return int(first.parameters.column)
