"""Stores what follows a step that called tools, in the transaction of its settlement: its calls, and the next
step, which is live and waits for them.

So a live reply has exactly one live row at every moment, by which stop, limits, reconcile and deletion find
it (docs/live-path.md, "Between steps").
"""

from __future__ import annotations

from functools import partial
from uuid import UUID, uuid5

import msgspec
from django.db import transaction

from chat.conversations.models import Message
from chat.turns import call_frames, call_tickets
from chat.turns.called_tools import calls_of
from chat.turns.models import MOST_STEPS, CallStatus, Generation, Status, ToolCall
from inference.contract import Reason
from inference.wire.log import Log


def step_id(first: UUID, step: int) -> UUID:
    """Returns the id of a later step, by which a page's socket can follow it before its row is read."""
    return uuid5(first, str(step))


def has_next(reason: str, step: int) -> bool:
    """Returns whether a step that ended so is followed by another one; the last one may call nothing."""
    return reason == Reason.CALLS and step + 1 < MOST_STEPS


def reason_of(reason: Reason, step: int) -> Reason:
    """Returns the reason to store: a last step that calls tools all the same has just ended."""
    return Reason.STOP if reason is Reason.CALLS and not has_next(reason, step) else reason


def store(generation_id: UUID, log: Log) -> None:
    """Stores the calls of a step that has just been settled, and the step after it."""
    settled = Generation.objects.get(pk=generation_id)
    first = Generation.objects.only("pk").get(message=settled.message_id, step=0)
    text = Message.objects.values_list("text", flat=True).get(pk=settled.message_id)
    number = settled.step + 1
    following = Generation.objects.create(
        id=step_id(first.pk, number),
        message_id=settled.message_id,
        step=number,
        user_id=settled.user_id,
        model=settled.model,
        status=Status.CALLING,
        run=log.run,
        seed=settled.seed,
        parameters=msgspec.structs.replace(settled.parameters, prefix_characters=len(text)),
        stop_requested_at=settled.stop_requested_at,
    )
    calls = ToolCall.objects.bulk_create(calls_of(settled, log.pieces))
    transaction.on_commit(partial(_announce, calls, following.pk), robust=True)


def _announce(calls: list[ToolCall], following: UUID) -> None:
    call_tickets.send([call.pk for call in calls if call.status == CallStatus.QUEUED])
    call_frames.publish([call.pk for call in calls])
    if not call_frames.are_open(calls):
        call_tickets.send_next_step(following)
