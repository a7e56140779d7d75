"""Makes the `ack` of a stored turn, and the changes that tell the same rows to the person's other tabs."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UnsetType

from chat.conversations.serializers import conversation_json, load_siblings, message_json
from chat.turns import event_numbers
from chat.turns.frames import Ack, ConversationChanged, FrameOut, MessageChanged
from chat.turns.idempotency import Turn


def store(store_turn: Callable[[], Turn], ref: str | UnsetType) -> tuple[Turn, Ack, int | None]:
    """Stores a turn; returns it with its ack and the number of the event that tells the other tabs.

    Raises ChatErrors; then nothing is stored.
    """
    turn = store_turn()
    number = event_numbers.count(turn.generation.user_id) if turn.is_new else None
    unread = [message for message in turn.messages if message.siblings is None]
    load_siblings(unread)
    ack = Ack(
        conversation=conversation_json(turn.conversation),
        messages=[message_json(message) for message in turn.messages],
        message_id=turn.generation.message_id,
        generation_id=turn.generation.pk,
        client_id=turn.generation.client_id,
        ref=ref,
    )
    return turn, ack, number


def changes(ack: Ack) -> list[FrameOut]:
    messages: list[FrameOut] = [MessageChanged(message=message) for message in ack.messages]
    return [*messages, ConversationChanged(conversation=ack.conversation, deleted=False)]
