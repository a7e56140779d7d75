"""Stores a person's own version of an answer beside it, as another answer to the same question."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.accounts.services import check_not_suspended
from chat.conversations.access import conversation_for
from chat.conversations.branches import open_branch, set_leaf
from chat.conversations.models import Conversation, Message, Role
from chat.conversations.origins import EDITED
from chat.conversations.serializers import conversation_json, message_json
from chat.core.entry_points import check_text
from chat.core.errors import BadInput, MessageTooLong
from chat.core.size_limits import MESSAGE_CHARS
from chat.core.storage import check_room
from chat.core.throttling import throttle
from chat.turns import events
from chat.turns.admission import settled_answer_for
from chat.turns.frames import ConversationChanged, MessageChanged
from chat.turns.question import clean
from chat.turns.settlement import settle_if_ended

EDITS_AN_HOUR = 120


def edit_answer(*, user: User, message_id: UUID, text: object) -> Message:
    """Stores `text` as another answer beside this one, opens it for the person and tells their tabs.

    No model is asked, so it costs no tokens. A text that the person saved there before opens that version.
    Raises ChatErrors; then nothing is stored.
    """
    check_not_suspended(user)
    content = _checked(text)
    check_room()
    throttle("edit-answer", str(user.pk), EDITS_AN_HOUR, 3600)
    settle_if_ended(message_id)  # a page learns of the end a moment before the row does
    return _store(user, message_id, content)


def _checked(text: object) -> str:
    if not isinstance(text, str):
        raise BadInput(_("The message is not text."))
    content = clean(text)
    if len(content) > MESSAGE_CHARS:
        raise MessageTooLong(length=len(content), limit=MESSAGE_CHARS)
    return content


@transaction.atomic
def _store(user: User, message_id: UUID, content: str) -> Message:
    answer, question = settled_answer_for(user, message_id)
    if answer.hidden_at or question.hidden_at:
        raise BadInput(_("This message was removed by a moderator, so it cannot be edited."))
    # Two clicks take turns, so that the second one finds what the first one stored.
    Conversation.objects.select_for_update(no_key=True).only("pk").get(pk=answer.conversation_id)
    before = Message.objects.filter(parent=question, source=EDITED, author=user, text=content, hidden_at=None)
    if saved := before.select_related("conversation").first():
        open_branch(user, saved)
        return saved
    check_text("edited_answer", content)
    edited = Message.objects.create(
        conversation=answer.conversation,
        parent=question,
        role=Role.ASSISTANT,
        author=user,
        text=content,
        source=EDITED,
    )
    set_leaf(user, edited)
    Conversation.objects.filter(pk=answer.conversation_id).update(updated_at=Now())
    transaction.on_commit(partial(_announce, user, edited.pk), robust=True)
    return Message.objects.select_related("conversation").get(pk=edited.pk)  # with its time


def _announce(user: User, edited: UUID) -> None:
    message = Message.objects.get(pk=edited)
    conversation = conversation_for(user, message.conversation_id)
    events.publish_sync(
        user.pk,
        MessageChanged(message=message_json(message)),
        ConversationChanged(conversation=conversation_json(conversation), deleted=False),
    )
