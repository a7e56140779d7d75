"""Tells pages the state of calls while they wait and run; later `parts` of their message has it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chat.turns import events
from chat.turns.call_json import call_json, shown_calls
from chat.turns.frames import CallChanged
from chat.turns.models import OPEN_CALLS, Generation, ToolCall


def frames_of(steps: Sequence[Generation]) -> list[CallChanged]:
    """Returns the states of all calls of a reply, for a page that begins to follow it."""
    number = {step.pk: step.step for step in steps}
    calls = shown_calls().filter(step__in=number).order_by("step__step", "position")
    return [_frame(steps[0].message_id, call, number[call.step_id]) for call in calls]


def publish(calls: Sequence[UUID]) -> None:
    """Sends the states of calls to the person's tabs. Never call it inside a transaction."""
    rows = list(shown_calls().filter(pk__in=calls).select_related("step__message"))
    if rows:
        shown = [row for row in rows if row.step.message.hidden_at is None]
        frames = [_frame(row.step.message_id, row, row.step.step) for row in shown]
        events.publish_sync(rows[0].step.user_id, *frames)


def frame_of(call_id: UUID) -> CallChanged | None:
    """Returns the state of one call; None if it is gone or hidden."""
    call = shown_calls().filter(pk=call_id, step__message__hidden_at=None).select_related("step").first()
    return _frame(call.step.message_id, call, call.step.step) if call is not None else None


def are_open(calls: Sequence[ToolCall]) -> bool:
    return any(call.status in OPEN_CALLS for call in calls)


def _frame(message_id: UUID, call: ToolCall, step: int) -> CallChanged:
    return CallChanged(message_id=str(message_id), call=call_json(call, step))
