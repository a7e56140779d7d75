"""Carries out one call of a tool, in a thread of the process for queue `tools`.

The call's row decides: it is claimed by a conditional update, holds a lease while the tool runs
(chat/turns/call_leases.py), and takes one result, of its current attempt (chat/turns/call_results.py).
"""

from __future__ import annotations

import logging
import time
from uuid import UUID

from django.db import InterfaceError, OperationalError, close_old_connections
from django.db.models.functions import Now

from chat.quotas import services as quotas
from chat.tools.base import Call, ToolFailed
from chat.tools.services import tool_for
from chat.turns import call_frames, call_leases
from chat.turns.between_steps import may_go_on, price_of_reply, waiting_step
from chat.turns.call_errors import CallError
from chat.turns.call_results import Outcome, finish, store_result
from chat.turns.called_tools import arguments_of
from chat.turns.models import CallStatus, ToolCall
from chat.turns.tool_threads import THREADS

logger = logging.getLogger("grokweb.tools")

STORE_SECONDS = 120.0  # afterwards the call counts as lost, as if its process had died
STORE_PAUSE = 0.2


def carry_out(call_id: UUID) -> None:
    """Runs a call that waits. A ticket for one that does not is harmless."""
    with THREADS.busy():
        call = _claim(call_id)
        if call is None:
            return
        with call_leases.kept(call):
            _tell_pages(call)
            outcome = _run(call)
        _store(call, outcome)


def _store(call: ToolCall, outcome: Outcome) -> None:
    """Stores the result, again while the database refuses it (locked, full, away): nobody else knows it."""
    deadline = time.monotonic() + STORE_SECONDS
    while True:
        try:
            store_result(call.pk, call.attempt, outcome)
            return
        except (OperationalError, InterfaceError) as error:
            if time.monotonic() >= deadline:
                raise
            logger.warning("a result waits: %s", type(error).__name__, extra={"call": str(call.pk)})
            close_old_connections()
            time.sleep(STORE_PAUSE)


def _tell_pages(call: ToolCall) -> None:
    """Pages are a comfort only: without them the call is made all the same."""
    try:
        call_frames.publish([call.pk])
    except Exception:
        logger.exception("pages were not told of a call", extra={"call": str(call.pk)})


def _claim(call_id: UUID) -> ToolCall | None:
    """Returns the call, leased to this process; None if it is not to be run. One that may no longer be begun
    is ended."""
    call = ToolCall.objects.filter(pk=call_id, status=CallStatus.QUEUED).select_related("step__user").first()
    if call is None:
        return None
    error = _refusal(call)
    if error:
        finish(call.pk, Outcome(CallStatus.REFUSED, error), before=CallStatus.QUEUED)
        return None
    waiting = ToolCall.objects.filter(pk=call_id, status=CallStatus.QUEUED, attempt=call.attempt)
    claimed = waiting.update(status=CallStatus.RUNNING, started_at=Now(), lease_until=call_leases.until())
    return call if claimed else None


def _refusal(call: ToolCall) -> str:
    """Returns why the call may not be begun; "" if it may."""
    step = waiting_step(call.step.message_id)
    if step is None or not may_go_on(step):
        return CallError.ENDED
    found = tool_for(call.name)
    if found is None or not found.tool.may_use(step.user):
        return CallError.NO_TOOL
    return CallError.QUOTA if quotas.is_used_up(step.user, price_of_reply(step)) else ""


def _run(call: ToolCall) -> Outcome:
    """Returns what became of the call, whatever the tool does."""
    found = tool_for(call.name)
    if found is None:
        return Outcome(CallStatus.REFUSED, CallError.NO_TOOL)
    about = {"call": str(call.pk), "tool": call.name, "attempt": call.attempt}
    deadline = time.monotonic() + found.tool.seconds
    try:
        result = found.tool.run(Call(call.pk, call.step.user, arguments_of(call), deadline, found.options))
    except ToolFailed as error:
        return Outcome(CallStatus.FAILED, CallError.TOOL, str(error))
    except Exception:
        logger.exception("a tool failed", extra=about)
        return Outcome(CallStatus.FAILED, CallError.BROKEN)
    return Outcome(CallStatus.DONE, result=str(result))
