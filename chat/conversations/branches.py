"""Reads and changes which branch of a conversation a person has open, and deletes branches."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations import signals
from chat.conversations.models import Conversation, Leaf, Message, MessageStatus, Role
from chat.conversations.settlement import settle_ended
from chat.conversations.tree import end_of, ids_from
from chat.core.errors import Busy

DELETED_AT_ONCE = 50  # messages in one query: the lists of ids stay short


def current_leaf(viewer: User, conversation: Conversation) -> Message | None:
    """Returns the end of the branch this person had open last; without one, the newest end."""
    leaf = Leaf.objects.select_related("message").filter(viewer=viewer, conversation=conversation).first()
    if leaf is not None:
        return leaf.message
    ends = conversation.messages.filter(children=None)
    return ends.order_by("-created_at", "-pk").first()


def set_leaf(viewer: User, message: Message) -> None:
    """Stores that this person has the branch open that ends with `message`."""
    Leaf.objects.bulk_create(
        [Leaf(viewer=viewer, conversation_id=message.conversation_id, message=message)],
        update_conflicts=True,
        unique_fields=["viewer", "conversation"],
        update_fields=["message"],
    )


def open_branch(viewer: User, message: Message) -> None:
    """Opens the branch of a message for this person, to its newest end."""
    set_leaf(viewer, end_of(message))


def delete_branch(message: Message) -> None:
    """Deletes a message with everything below it. People who had it open see the newest end of what is left.

    Raises Busy while a reply of the branch is being written.
    """
    conversation = message.conversation
    settle_ended(list(conversation.messages.filter(status=MessageStatus.LIVE)))
    with transaction.atomic():
        viewers = _delete_from_below(message)
        if message.parent is not None:
            for viewer in viewers:
                open_branch(viewer, message.parent)
        transaction.on_commit(
            lambda: signals.branch_deleted.send_robust(
                Conversation, conversation=conversation, pk=message.pk
            ),
            robust=True,
        )


def _delete_from_below(message: Message) -> set[User]:
    """Deletes the branch, its end first, so that no deletion cascades; returns who had one of them open."""
    doomed = ids_from(message)
    viewers: set[User] = set()
    for start in range(len(doomed), 0, -DELETED_AT_ONCE):
        batch = Message.objects.filter(pk__in=doomed[max(0, start - DELETED_AT_ONCE) : start])
        if batch.filter(status=MessageStatus.LIVE).exists():
            raise Busy(_("An answer is still being written there. Stop it first."))
        leaves = Leaf.objects.filter(message__in=batch).select_related("viewer")
        viewers.update(leaf.viewer for leaf in leaves)
        batch.delete()
    return viewers


def turns_of(messages: Sequence[Message]) -> list[list[Message]]:
    """Groups the messages of a branch: each turn begins with a question."""
    turns: list[list[Message]] = []
    for message in messages:
        if message.role == Role.USER or not turns:
            turns.append([])
        turns[-1].append(message)
    return turns
