"""The `done` frame: the end of a reply as its last log has it, or as its settled rows have it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from uuid import UUID

from chat.conversations.models import Message
from chat.conversations.serializers import message_json
from chat.turns import port
from chat.turns.end_messages import message_for_end
from chat.turns.event_positions import number_of
from chat.turns.followed import Followed
from chat.turns.frames import Done, FrameOut, MessageChanged, Usage
from chat.turns.models import Generation
from chat.turns.settlement import STATUS_OF
from inference.wire.log import End


def done_from_log(followed: Followed, generation_id: str, end: End) -> Done:
    """Returns the end that the log has; its row may be settled a moment later. Raises port.UNAVAILABLE."""
    text = port.read(UUID(generation_id)).text
    usage = Usage(prompt_tokens=end.prompt_tokens, completion_tokens=end.seq)
    if followed.step:
        steps = list(Generation.objects.steps_of(UUID(followed.message_id))[: followed.step + 1])
        text = _text_of(steps[0].message, steps[0], steps[-1]) + text
        usage = _usage_of(steps[:-1], usage)
    return Done(
        message_id=followed.message_id,
        generation_id=followed.reply_id,
        status=STATUS_OF[end.reason],
        reason=end.reason,
        words=message_for_end(end.reason, end.error),
        usage=usage,
        seq=number_of(followed.step, end.seq),
        length=len(text),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def settled_frames(steps: Sequence[Generation]) -> list[FrameOut]:
    """Returns a settled reply, whole, and its end. `length` and `sha256` are those of the tokens' text,
    without the text that it continues."""
    first, last = steps[0], steps[-1]
    message = last.message
    text = "" if message.hidden_at else _text_of(message, first)
    done = Done(
        message_id=str(message.pk),
        generation_id=str(first.pk),
        status=last.status,
        reason=last.reason,
        words=message_for_end(last.reason, last.error),
        usage=_usage_of(steps),
        seq=number_of(last.step, last.completion_tokens),
        length=len(text),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )
    return [MessageChanged(message=message_json(message)), done]


def _text_of(message: Message, first: Generation, before: Generation | None = None) -> str:
    """Returns what the steps of a reply wrote, from one on up to another."""
    end = before.parameters.prefix_characters if before else None
    return message.text[first.parameters.prefix_characters : end]


def _usage_of(steps: Sequence[Generation], more: Usage | None = None) -> Usage:
    """Returns the tokens of all steps."""
    counts = [(each.prompt_tokens, each.completion_tokens) for each in steps]
    counts += [(more.prompt_tokens, more.completion_tokens)] if more else []
    return Usage(
        prompt_tokens=sum(prompt for prompt, _ in counts),
        completion_tokens=sum(completion for _, completion in counts),
    )
