"""Creates one conversation, changes its model, keeps a temporary one, deletes it."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from chat.accounts.models import User
from chat.conversations.announcements import announce_after_commit
from chat.conversations.models import Conversation
from chat.conversations.titles import cleaned_title, title_from
from chat.core.entry_points import check_text
from chat.model_cards.models import ModelCard

TEMPORARY_FOR = timedelta(hours=24)  # after the last message


def create_conversation(
    *, owner: User, model: ModelCard, title: str = "", first_message: str = "", temporary: bool = False
) -> Conversation:
    """Creates a conversation. `title` is what a person wrote; without one it is made from `first_message`,
    which its sender checks."""
    check_text("title", title)
    title = cleaned_title(title or title_from(first_message))
    return Conversation.objects.create(owner=owner, model=model, title=title, temporary=temporary)


def choose_model(*, conversation: Conversation, model: ModelCard) -> None:
    """Sets the model of the replies to come. Those that exist or are being written keep theirs."""
    with transaction.atomic():
        known = Conversation.objects.filter(pk=conversation.pk, deleted_at=None)
        if known.exclude(model=model).update(model=model):
            conversation.model = model
            announce_after_commit(conversation, deleted=False)


def make_permanent(*, conversation: Conversation) -> None:
    """Turns a temporary conversation into an ordinary one."""
    with transaction.atomic():
        temporary = Conversation.objects.filter(pk=conversation.pk, temporary=True, deleted_at=None)
        if temporary.update(temporary=False):
            conversation.temporary = False
            announce_after_commit(conversation, deleted=False)


def delete_conversation(*, conversation: Conversation) -> None:
    """Deletes a conversation for everybody from the commit on. `purge` removes the rows once no reply is
    being written."""
    _delete(conversation, Conversation.objects.filter(deleted_at=None))


def delete_expired() -> None:
    """Deletes the temporary conversations whose time is over, unless they are used meanwhile."""
    until = timezone.now() - TEMPORARY_FOR
    expired = Conversation.objects.filter(temporary=True, updated_at__lt=until, deleted_at=None)
    for conversation in expired:
        _delete(conversation, expired)


def _delete(conversation: Conversation, among: QuerySet[Conversation]) -> None:
    with transaction.atomic():
        if among.filter(pk=conversation.pk).update(deleted_at=Now()):
            conversation.deleted_at = timezone.now()
            announce_after_commit(conversation, deleted=True)
