"""Conversations as they are after some turns, built without a model. Also for tests/chat/sharing."""

from __future__ import annotations

from uuid import uuid4

from chat.accounts.models import User
from chat.conversations.branches import set_leaf
from chat.conversations.lifecycle import create_conversation
from chat.conversations.models import Conversation, Message, MessageStatus, Role
from chat.model_cards.selection import default_model


def talk(owner: User, *texts: str, title: str = "A talk") -> Conversation:
    """The texts alternate between the owner and the model; the owner has the end open."""
    conversation = create_conversation(owner=owner, model=default_model(), title=title)
    say(conversation, *texts)
    return conversation


def say(conversation: Conversation, *texts: str, under: Message | None = None) -> list[Message]:
    """Appends a branch below `under` and opens its end."""
    said: list[Message] = []
    role = Role.ASSISTANT if under and under.role == Role.USER else Role.USER
    for text in texts:
        under = Message.objects.create(conversation=conversation, parent=under, role=role, text=text)
        said.append(under)
        role = Role.USER if role == Role.ASSISTANT else Role.ASSISTANT
    if under:
        set_leaf(conversation.owner, under)
    return said


def long_talk(owner: User, length: int) -> tuple[Conversation, list[Message]]:
    """Numbered messages m0, m1 …, written in a few statements."""
    conversation = create_conversation(owner=owner, model=default_model(), title="Long")
    keys = [uuid4() for _ in range(length)]
    roles = (Role.USER, Role.ASSISTANT)
    messages = [
        Message(
            id=key,
            conversation=conversation,
            parent_id=keys[n - 1] if n else None,
            role=roles[n % 2],
            text=f"m{n}",
        )
        for n, key in enumerate(keys)
    ]
    Message.objects.bulk_create(messages, batch_size=500)
    set_leaf(owner, messages[-1])
    return conversation, messages


def live_reply(conversation: Conversation, text: str = "Hello?") -> Message:
    (asked,) = say(conversation, text)
    reply = Message.objects.create(
        conversation=conversation, parent=asked, role=Role.ASSISTANT, status=MessageStatus.LIVE
    )
    set_leaf(conversation.owner, reply)
    return reply
