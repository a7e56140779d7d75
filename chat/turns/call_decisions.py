"""A person's decision whether a call may be made: the first one counts, from whichever tab it comes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models.functions import Now

from chat.accounts.models import User
from chat.accounts.services import check_not_suspended
from chat.turns import call_frames, call_tickets
from chat.turns.access import call_for
from chat.turns.call_errors import CallError
from chat.turns.call_results import Outcome, finish
from chat.turns.frames import CallChanged
from chat.turns.models import CallStatus, ToolCall


def decide(*, user: User, call_id: UUID, allow: bool) -> CallChanged | None:
    """Stores a decision. Returns the call's state if it was decided before. Raises NotFound and Suspended."""
    check_not_suspended(user)
    call = call_for(user, call_id)
    decided: dict[str, Any] = {"decided_by": user, "decided_at": Now()}
    if allow:
        waiting = ToolCall.objects.filter(pk=call.pk, status=CallStatus.WAITING)
        won = bool(waiting.update(status=CallStatus.QUEUED, queued_at=Now(), **decided))
        if won:
            call_frames.publish([call.pk])
            call_tickets.send([call.pk])
    else:
        denied = Outcome(CallStatus.REFUSED, CallError.DENIED)
        won = finish(call.pk, denied, before=CallStatus.WAITING, **decided)
    return None if won else call_frames.frame_of(call.pk)
