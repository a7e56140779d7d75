"""The `done` frame: the end of a reply as its log has it, or as its settled row has it."""

from __future__ import annotations

import hashlib
from uuid import UUID

from chat.conversations.serializers import message_json
from chat.turns import port
from chat.turns.end_messages import message_for_end
from chat.turns.frames import Done, FrameOut, MessageChanged, Usage
from chat.turns.models import Generation
from chat.turns.settlement import STATUS_OF
from inference.wire.log import End


def done_from_log(message_id: str, generation_id: str, end: End) -> Done:
    """Returns the end that the log has; its row may be settled a moment later. Raises port.UNAVAILABLE."""
    text = port.read(UUID(generation_id)).text
    return Done(
        message_id=message_id,
        generation_id=generation_id,
        status=STATUS_OF[end.reason],
        reason=end.reason,
        words=message_for_end(end.reason, end.error),
        usage=Usage(prompt_tokens=end.prompt_tokens, completion_tokens=end.seq),
        seq=end.seq,
        length=len(text),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def settled_frames(generation: Generation) -> list[FrameOut]:
    """Returns a settled reply, whole, and its end. `length` and `sha256` are those of the tokens' text,
    without the text that it continues."""
    message = generation.message
    text = "" if message.hidden_at else message.text[generation.parameters.prefix_characters :]
    done = Done(
        message_id=str(message.pk),
        generation_id=str(generation.pk),
        status=generation.status,
        reason=generation.reason,
        words=message_for_end(generation.reason, generation.error),
        usage=Usage(prompt_tokens=generation.prompt_tokens, completion_tokens=generation.completion_tokens),
        seq=generation.completion_tokens,
        length=len(text),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )
    return [MessageChanged(message=message_json(message)), done]
