"""The doors to conversations and messages. Absent, deleted and somebody else's look the same."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import AnonymousUser

from chat.accounts.models import User
from chat.conversations.models import Conversation, Folder, Message
from chat.core.errors import NotFound


def conversation_for(user: User | AnonymousUser, pk: UUID | str) -> Conversation:
    try:
        return Conversation.objects.visible_to(_known(user)).get(pk=_uuid(pk))
    except Conversation.DoesNotExist:
        raise NotFound from None


def message_for(user: User | AnonymousUser, pk: UUID | str) -> Message:
    """A message of a conversation this person may open, with its conversation and generation loaded."""
    theirs = Conversation.objects.visible_to(_known(user))
    try:
        return Message.objects.select_related("conversation", "generation").get(
            pk=_uuid(pk), conversation__in=theirs
        )
    except Message.DoesNotExist:
        raise NotFound from None


def folder_for(user: User | AnonymousUser, pk: UUID | str) -> Folder:
    try:
        return Folder.objects.get(pk=_uuid(pk), owner=_known(user))
    except Folder.DoesNotExist:
        raise NotFound from None


def _known(user: User | AnonymousUser) -> User:
    if not isinstance(user, User):
        raise NotFound
    return user


def _uuid(pk: UUID | str) -> UUID:
    """Ids arrive as text from websocket frames and query strings."""
    if isinstance(pk, UUID):
        return pk
    try:
        return UUID(pk)
    except (AttributeError, TypeError, ValueError):
        raise NotFound from None
