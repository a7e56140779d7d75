"""The `done` frame: the end of a reply as its last log has it, or as its settled rows have it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from uuid import UUID

from django.db.models import prefetch_related_objects
from msgspec import UNSET, UnsetType

from chat.conversations.models import Message
from chat.conversations.serializers import message_json
from chat.turns import call_frames, reply_state
from chat.turns.end_messages import message_for_end
from chat.turns.event_positions import number_of, place_of
from chat.turns.followed import Followed
from chat.turns.frames import STEP_BORDER, Done, FrameOut, MessageChanged, Token, Usage
from chat.turns.models import Generation
from chat.turns.next_step import reason_of
from chat.turns.parts import stored_pieces
from chat.turns.settlement import STATUS_OF
from inference.contract import Kind
from inference.wire.log import End


def done_from_log(followed: Followed, generation_id: str, end: End) -> Done:
    """Returns the end that the log has; its row may be settled a moment later.

    Raises redis_client.UNAVAILABLE.
    """
    text = reply_state.read_log(UUID(generation_id)).everything
    usage = Usage(prompt_tokens=end.prompt_tokens, completion_tokens=end.completion_tokens)
    if followed.step:
        steps = list(Generation.objects.steps_of(UUID(followed.message_id))[: followed.step + 1])
        prefetch_related_objects([step for step in steps if step.has_parts], "parts")
        if steps:  # else the message has been deleted meanwhile
            text = _everything(steps[0].message, steps) + text
        usage = _usage_of(steps[:-1], usage)
    reason = reason_of(end.reason, followed.step)
    return Done(
        message_id=followed.message_id,
        generation_id=followed.reply_id,
        status=STATUS_OF[reason],
        reason=reason,
        words=message_for_end(end.reason, end.error),
        usage=usage,
        seq=number_of(followed.step, end.seq),
        length=len(text),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        run=end.run or UNSET,
    )


def border_frame(followed: Followed, end: End) -> Token:
    """Returns the border between a step whose log has ended and the next one."""
    return Token(
        message_id=followed.message_id,
        generation_id=followed.reply_id,
        after=number_of(followed.step, end.seq),
        seq=number_of(followed.step + 1, 0),
        text="",
        kind=STEP_BORDER,
        run=end.run or UNSET,
    )


def settled_frames(steps: Sequence[Generation]) -> list[FrameOut]:
    """Returns a settled reply, whole, and its end. `length` and `sha256` are those of what its tokens say,
    of all kinds in order, without the text that it continues."""
    first, last = steps[0], steps[-1]
    message = last.message
    text = "" if message.hidden_at else _everything(message, steps, ended=True)
    done = Done(
        message_id=str(message.pk),
        generation_id=str(first.pk),
        status=last.status,
        reason=last.reason,
        words=message_for_end(last.reason, last.error),
        usage=_usage_of(steps),
        seq=number_of(last.step, last.seq),
        length=len(text),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        run=last.run or UNSET,
    )
    return [MessageChanged(message=message_json(message)), done]


def frames_of_earlier_steps(steps: Sequence[Generation], after: int) -> list[FrameOut]:
    """Returns what the settled steps of a live reply wrote after number `after`, each with the border behind
    it, and the states of their calls. Text that was divided within a stretch of one kind is sent from the
    beginning of that stretch."""
    step_held, tokens_held = place_of(after)
    message, reply_id = steps[0].message, str(steps[0].pk)
    sent: list[FrameOut] = []

    def add(after: int, seq: int, text: str, kind: str | UnsetType, duration_ms: int = 0) -> None:
        ids = {"message_id": str(message.pk), "generation_id": reply_id}
        shown = "" if message.hidden_at else text
        run = steps[-1].run or UNSET  # a page ignores what is of an older run than it has seen
        spent = duration_ms or UNSET
        sent.append(Token(**ids, after=after, seq=seq, text=shown, kind=kind, run=run, duration_ms=spent))

    for step, text in list(zip(steps, _texts_of(message, steps), strict=True))[step_held:-1]:
        held = tokens_held if step.step == step_held else 0
        for piece in stored_pieces(step, text):
            if piece.seq > held:
                first, last = number_of(step.step, piece.after), number_of(step.step, piece.seq)
                kind = UNSET if piece.kind is Kind.TEXT else piece.kind
                add(first, last, piece.text, kind, piece.duration_ms)
        end = number_of(step.step, step.seq)
        add(end, number_of(step.step + 1, 0), "", STEP_BORDER)
    return sent if message.hidden_at else [*sent, *call_frames.frames_of(steps)]


def _texts_of(message: Message, steps: Sequence[Generation]) -> list[str]:
    """Returns the text of the answer that each step wrote."""
    starts = [step.parameters.prefix_characters for step in steps]
    return [message.text[start:end] for start, end in pairwise([*starts, None])]


def _everything(message: Message, steps: Sequence[Generation], *, ended: bool = False) -> str:
    """Returns what the steps of a reply wrote, of all kinds in order, without a last one that is live."""
    shown = list(zip(steps, _texts_of(message, steps), strict=True))
    told = shown if ended else shown[:-1]
    return "".join(piece.text for step, text in told for piece in stored_pieces(step, text))


def _usage_of(steps: Sequence[Generation], more: Usage | None = None) -> Usage:
    """Returns the tokens of all steps."""
    counts = [(each.prompt_tokens, each.completion_tokens) for each in steps]
    counts += [(more.prompt_tokens, more.completion_tokens)] if more else []
    return Usage(
        prompt_tokens=sum(prompt for prompt, _ in counts),
        completion_tokens=sum(completion for _, completion in counts),
    )
