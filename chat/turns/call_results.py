"""Ends calls of tools: stores what became of each, once, and lets the next step begin after the last one."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from chat.core.entry_points import check_text
from chat.core.errors import RefusedByRule
from chat.turns import call_frames, call_tickets
from chat.turns.between_steps import may_go_on, waiting_step
from chat.turns.call_errors import CallError
from chat.turns.models import OPEN_CALLS, CallStatus, Generation, Status, ToolCall
from chat.turns.parts import storable

logger = logging.getLogger("grokweb.tools")

RESULT_CHARS = 65_536


@dataclass(frozen=True, slots=True)
class Outcome:
    status: CallStatus
    error: str = ""
    result: str = ""


def store_result(call_id: UUID, attempt: int, outcome: Outcome) -> bool:
    """Stores what became of a running call, once; returns whether this call did.

    A result of an older attempt is dropped. That of a reply that has ended or may not go on is stored without
    its text: what was carried out stays known.
    """
    step = _waiting_step_of(call_id)
    if outcome.result and (step is None or not may_go_on(step)):
        outcome = Outcome(outcome.status, outcome.error)
    try:
        check_text("tool_result", storable(outcome.result))
    except RefusedByRule:
        outcome = Outcome(outcome.status, CallError.WITHHELD)
    return finish(call_id, outcome, before=CallStatus.RUNNING, attempt=attempt)


def _waiting_step_of(call_id: UUID) -> Generation | None:
    call = ToolCall.objects.filter(pk=call_id).select_related("step").first()
    return waiting_step(call.step.message_id) if call is not None else None


def finish(
    call_id: UUID, outcome: Outcome, *, before: CallStatus, attempt: int | None = None, **more: Any
) -> bool:
    """Ends a call that has the status `before`, tells the pages, and lets the next step begin if it was the
    last one. `more` are fields to store with it. Returns whether this call did."""
    row = ToolCall.objects.filter(pk=call_id, status=before)
    if attempt is not None:
        row = row.filter(attempt=attempt)
    won = row.update(
        status=outcome.status,
        error=outcome.error,
        result=storable(outcome.result)[:RESULT_CHARS],
        finished_at=Now(),
        lease_until=None,
        **more,
    )
    if not won:
        return False
    logger.info("call ended", extra={"call": str(call_id), "status": outcome.status, "error": outcome.error})
    transaction.on_commit(lambda: _announce_end(call_id), robust=True)
    return True


def _announce_end(call_id: UUID) -> None:
    call_frames.publish([call_id])
    message = ToolCall.objects.filter(pk=call_id).values_list("step__message", flat=True).first()
    if not ToolCall.objects.filter(step__message=message, status__in=OPEN_CALLS).exists():
        for step in Generation.objects.filter(message=message, status=Status.CALLING):
            call_tickets.send_next_step(step.pk)
