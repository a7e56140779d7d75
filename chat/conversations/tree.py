"""Walks the tree of messages of a conversation, in one query each.

All walks go by primary key, so that their cost is that of the messages returned, however long the
conversation is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from chat.conversations.models import Message

BRANCH_MESSAGES = 100_000  # more than any branch has
READ_FIELDS = ("role", "text", "hidden_at", "pinned")  # of messages that are read for a prompt

# From a message up to the first one, at most so many.
_PATH = """
WITH RECURSIVE path(id, parent_id, depth) AS (
    SELECT id, parent_id, 1 FROM conversations_message WHERE id = %s
    UNION ALL
    SELECT above.id, above.parent_id, path.depth + 1
    FROM path JOIN conversations_message above ON above.id = path.parent_id
    WHERE path.depth < %s
)
SELECT id FROM path ORDER BY depth DESC
"""

# From the end of a branch up to a message, without it.
_BETWEEN = """
WITH RECURSIVE path(id, parent_id, depth) AS (
    SELECT id, parent_id, 1 FROM conversations_message WHERE id = %s
    UNION ALL
    SELECT above.id, above.parent_id, path.depth + 1
    FROM path JOIN conversations_message above ON above.id = path.parent_id
    WHERE path.id <> %s
)
SELECT id FROM path ORDER BY depth DESC
"""

# From a message down, the newest child each time, to the end of its branch.
_END = """
WITH RECURSIVE down(id, depth) AS (
    SELECT id, 0 FROM conversations_message WHERE id = %s
    UNION ALL
    SELECT (SELECT child.id FROM conversations_message child WHERE child.parent_id = down.id
            ORDER BY child.created_at DESC, child.id DESC LIMIT 1), down.depth + 1
    FROM down WHERE down.id IS NOT NULL
)
SELECT id FROM down WHERE id IS NOT NULL ORDER BY depth DESC LIMIT 1
"""

# A message and all below it.
_BELOW = """
WITH RECURSIVE below(id, depth) AS (
    SELECT id, 0 FROM conversations_message WHERE id = %s
    UNION ALL
    SELECT child.id, below.depth + 1 FROM below
    JOIN conversations_message child ON child.parent_id = below.id
)
SELECT id FROM below ORDER BY depth
"""


def path_to(leaf: Message, limit: int) -> list[Message]:
    """Returns `leaf` and up to `limit` - 1 messages above it, oldest first."""
    if leaf.parent_id is None:
        return [leaf]
    ids = ids_to(leaf, limit)
    found = Message.objects.in_bulk(ids)
    return [found[pk] for pk in ids if pk in found]


def texts_and_pins(leaf: Message, limit: int) -> tuple[list[Message], set[UUID]]:
    """Returns the same messages, those above `leaf` with READ_FIELDS alone, and the ids of pinned ones: all
    of the conversation where the branch is as long as the limit, so that others may be above them."""
    if leaf.parent_id is None:
        return [leaf], {leaf.pk} if leaf.pinned else set()
    ids = ids_to(leaf, limit)[:-1]
    wanted = Q(pk__in=ids)
    if len(ids) + 1 == limit:
        wanted |= Q(conversation=leaf.conversation_id, pinned=True)
    found = {message.pk: message for message in Message.objects.only(*READ_FIELDS).filter(wanted).order_by()}
    pins = {pk for pk, message in {**found, leaf.pk: leaf}.items() if message.pinned}
    return [*(found[pk] for pk in ids if pk in found), leaf], pins


def read_messages(ids: Sequence[UUID]) -> list[Message]:
    """Returns messages in this order, with READ_FIELDS alone."""
    found = Message.objects.only(*READ_FIELDS).in_bulk(ids)
    return [found[pk] for pk in ids if pk in found]


def ids_to(leaf: Message, limit: int) -> list[UUID]:
    """Returns the ids of the same messages, for callers that read a long branch in pieces."""
    return _ids(_PATH, _key(leaf), limit)


def end_of(message: Message) -> Message:
    """Returns the end of the branch that goes through `message`, along the newest answers."""
    (end,) = _ids(_END, _key(message))
    return Message.objects.get(pk=end)


def ids_between(message: Message, leaf: Message) -> list[UUID] | None:
    """Returns the ids below `message` down to `leaf`, in order; None if it is not on the branch of `leaf`."""
    first, *rest = _ids(_BETWEEN, _key(leaf), _key(message))
    return rest if first == message.pk else None


def ids_from(message: Message) -> list[UUID]:
    """Returns the ids of a message and of all below it, parents first."""
    return _ids(_BELOW, _key(message))


def _key(message: Message) -> Any:
    return Message._meta.pk.get_db_prep_value(message.pk, connection)


def _ids(query: str, *parameters: Any) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return [UUID(str(row[0])) for row in cursor.fetchall()]
