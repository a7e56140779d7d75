"""Checks that pinned messages leave a prompt room: on the branch that its person has open, and on any other.

A message is part of every branch that goes through it, so a pin counts on all of them. chat/transfer/pins.py
holds imported conversations to the same limits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.branches import current_leaf
from chat.conversations.models import Message
from chat.conversations.tree import end_of, read_messages
from chat.core.errors import BadInput
from chat.core.text import estimate_tokens, grouped
from chat.files import prompt_text
from chat.turns.pinned_turns import ids_of_turns

MOST_PINS = 50  # of a conversation
LARGEST = 4  # of the context the pinned turns of a branch may take one part in so many


def check_room(message: Message, user: User) -> None:
    """Raises BadInput if one more pinned message is too many for the conversation or for a branch."""
    pinned = Message.objects.filter(conversation=message.conversation_id, pinned=True)
    others = set(pinned.values_list("pk", flat=True)) - {message.pk}
    if len(others) >= MOST_PINS:
        words = _("At most %(limit)d messages of a conversation can be pinned, on all its branches together.")
        raise BadInput(words % {"limit": MOST_PINS})
    here, elsewhere = _tokens_of_branches(message, user, {*others, message.pk})
    limit = message.conversation.model.context // LARGEST
    if here > limit:
        words = _(
            "With this message the pinned ones would have about %(tokens)s tokens; for this model they may "
            "have %(limit)s. Unpin others first."
        )
        raise BadInput(words % {"tokens": grouped(here), "limit": grouped(limit)})
    if elsewhere > limit:
        words = _(
            "This message is on another branch, too, whose pinned ones would have about %(tokens)s tokens "
            "with it; for this model they may have %(limit)s. Unpin others there first."
        )
        raise BadInput(words % {"tokens": grouped(elsewhere), "limit": grouped(limit)})


def _tokens_of_branches(message: Message, user: User, pins: Collection[UUID]) -> tuple[int, int]:
    """Returns the tokens of the pinned turns on the open branch, and on that one with the most of them."""
    tree = _Tree.of(message)
    branches = [tree.opened(message, user), *tree.branches(message.pk, pins)]
    turns = [ids_of_turns(pins, branch, tree.roles) for branch in branches]
    read = read_messages(list({pk for turn in turns for pk in turn}))
    texts = prompt_text.contents([each for each in read if each.hidden_at is None])
    sizes = {pk: estimate_tokens(text) for pk, text in texts.items()}
    totals = [sum(sizes.get(pk, 0) for pk in turn) for turn in turns]
    return totals[0], max(totals)


@dataclass(frozen=True, slots=True)
class _Tree:
    """Holds who answers whom in a conversation."""

    parents: Mapping[UUID, UUID | None]
    roles: Mapping[UUID, str]

    @classmethod
    def of(cls, message: Message) -> _Tree:
        messages = Message.objects.filter(conversation=message.conversation_id)
        rows = list(messages.values_list("pk", "parent", "role"))
        return cls({pk: parent for pk, parent, _role in rows}, {pk: role for pk, _parent, role in rows})

    def path(self, pk: UUID) -> list[UUID]:
        """Returns the ids from the first message down to this one."""
        ids: list[UUID] = []
        above: UUID | None = pk
        while above is not None:
            ids.append(above)
            above = self.parents[above]
        return ids[::-1]

    def opened(self, message: Message, user: User) -> Sequence[UUID]:
        """Returns the branch of a message: the one that its person has open, if it is on that."""
        leaf = current_leaf(user, message.conversation)
        path = self.path(leaf.pk) if leaf else []
        return path if message.pk in path else self.path(end_of(message).pk)

    def branches(self, pk: UUID, pins: Collection[UUID]) -> list[list[UUID]]:
        """Returns the branches through a pinned message, each down to its last pinned message, or to an
        answer of that: a pinned question counts with its answer.
        """
        through = [path for path in map(self.path, pins) if pk in path]
        inner = {above for path in through for above in path[:-1]}
        ends = [path for path in through if path[-1] not in inner]
        answered = [[*path, answer] for path in ends for answer in self._answers(path[-1])]
        return [*ends, *answered]

    def _answers(self, pk: UUID) -> list[UUID]:
        return [below for below, parent in self.parents.items() if parent == pk]
