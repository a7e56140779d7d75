"""Finds the turns of pinned messages on a branch: a question with its answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from chat.conversations.models import Message, Role
from chat.conversations.tree import read_messages


def turns_with(pins: Collection[UUID], branch: Sequence[UUID]) -> list[Message]:
    """Returns the pinned messages of a branch with what they answer or what answers them, in their order."""
    there = [pk for pk in branch if pk in pins]
    roles = dict(Message.objects.filter(pk__in=there).values_list("pk", "role")) if there else {}
    return read_messages(ids_of_turns(there, branch, roles))


def ids_of_turns(pins: Collection[UUID], branch: Sequence[UUID], roles: Mapping[UUID, str]) -> list[UUID]:
    """Returns the ids of the same messages; `roles` has the roles of the pinned ones of the branch."""
    places: set[int] = set()
    for place, pk in enumerate(branch):
        if pk in pins and pk in roles:
            places |= {place - 1, place} if roles[pk] == Role.ASSISTANT else {place, place + 1}
    return [branch[place] for place in sorted(places) if 0 <= place < len(branch)]
