"""Pins messages: prompts always have the turn of a pinned message, a question with its answer.

A pin belongs to the owner of the conversation, as everything in it does. Neither an old turn that no longer
fits nor a summary takes a pinned one out of a prompt (docs/long-conversations.md).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.accounts.services import check_not_suspended
from chat.conversations.branches import current_leaf
from chat.conversations.models import Conversation, Message, MessageStatus, Role
from chat.conversations.tree import BRANCH_MESSAGES, end_of, ids_to, read_messages
from chat.core.errors import BadInput
from chat.core.text import estimate_tokens, grouped
from chat.core.throttling import throttle
from chat.files import prompt_text
from chat.turns.message_updates import announce_after_commit

MOST_PINS = 50  # of a conversation
LARGEST = 4  # of the context pinned turns may take one part in so many


def pin(message: Message, user: User) -> None:
    """Raises ChatErrors."""
    check_not_suspended(user)
    throttle("pin", str(user.pk), 240, 3600)
    if message.role == Role.SYSTEM or message.hidden_at or message.status == MessageStatus.LIVE:
        raise BadInput(_("Only a question or a finished answer can be pinned."))
    with transaction.atomic():
        # Two tabs that pin take turns, so that together they stay below the limit.
        Conversation.objects.select_for_update(no_key=True).only("pk").get(pk=message.conversation_id)
        _check_room(message, user)
        _set(message, pinned=True)


def unpin(message: Message) -> None:
    with transaction.atomic():
        _set(message, pinned=False)


def _set(message: Message, *, pinned: bool) -> None:
    if Message.objects.filter(pk=message.pk, pinned=not pinned).update(pinned=pinned):
        message.pinned = pinned
        announce_after_commit(message)


def _check_room(message: Message, user: User) -> None:
    others = pinned_in(message.conversation_id) - {message.pk}
    if len(others) >= MOST_PINS:
        words = _("At most %(limit)d messages of a conversation can be pinned.")
        raise BadInput(words % {"limit": MOST_PINS})
    tokens = tokens_of(turns_with({*others, message.pk}, _branch_of(message, user)))
    limit = message.conversation.model.context // LARGEST
    if tokens > limit:
        words = _(
            "With this message the pinned ones would have about %(tokens)s tokens; for this model they may "
            "have %(limit)s. Unpin others first."
        )
        raise BadInput(words % {"tokens": grouped(tokens), "limit": grouped(limit)})


def _branch_of(message: Message, user: User) -> list[UUID]:
    """Returns the branch of a message: the one that its person has open, if it is on that."""
    leaf = current_leaf(user, message.conversation)
    opened = ids_to(leaf, BRANCH_MESSAGES) if leaf else []
    return opened if message.pk in opened else ids_to(end_of(message), BRANCH_MESSAGES)


def pinned_in(conversation: UUID) -> set[UUID]:
    pinned = Message.objects.filter(conversation=conversation, pinned=True)
    return set(pinned.values_list("pk", flat=True))


def turns_with(pins: Collection[UUID], branch: Sequence[UUID]) -> list[Message]:
    """Returns the pinned messages of a branch with what they answer or what answers them, in their order."""
    there = [pk for pk in branch if pk in pins]
    roles = dict(Message.objects.filter(pk__in=there).values_list("pk", "role")) if there else {}
    places: set[int] = set()
    for place, pk in enumerate(branch):
        if pk in roles:
            places |= {place - 1, place} if roles[pk] == Role.ASSISTANT else {place, place + 1}
    ids = [branch[place] for place in sorted(places) if 0 <= place < len(branch)]
    return read_messages(ids)


def tokens_of(messages: Sequence[Message]) -> int:
    """Estimates the tokens of messages with their files."""
    texts = prompt_text.contents([message for message in messages if message.hidden_at is None])
    return sum(estimate_tokens(text) for text in texts.values())
