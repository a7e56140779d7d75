"""Finds conversations, messages and folders that a person may open. All others raise NotFound."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import AnonymousUser

from chat.accounts.models import User
from chat.conversations.models import Conversation, Folder, Message
from chat.core.errors import NotFound


def conversation_for(user: User | AnonymousUser, pk: UUID | str) -> Conversation:
    """Returns a conversation that this person may open."""
    try:
        return Conversation.objects.visible_to(_known(user)).select_related("model").get(pk=_uuid(pk))
    except Conversation.DoesNotExist:
        raise NotFound from None


def message_for(user: User | AnonymousUser, pk: UUID | str) -> Message:
    """Returns a message of a conversation this person may open, with its conversation loaded."""
    theirs = Conversation.objects.visible_to(_known(user))
    try:
        return Message.objects.select_related("conversation").get(pk=_uuid(pk), conversation__in=theirs)
    except Message.DoesNotExist:
        raise NotFound from None


def folder_for(user: User | AnonymousUser, pk: UUID | str) -> Folder:
    """Returns a folder of this person."""
    try:
        return Folder.objects.get(pk=_uuid(pk), owner=_known(user))
    except Folder.DoesNotExist:
        raise NotFound from None


def _known(user: User | AnonymousUser) -> User:
    if not isinstance(user, User):
        raise NotFound
    return user


def _uuid(pk: UUID | str) -> UUID:
    """Parses an id, which arrives as text from websocket frames and query strings."""
    if isinstance(pk, UUID):
        return pk
    try:
        return UUID(pk)
    except (AttributeError, TypeError, ValueError):
        raise NotFound from None
