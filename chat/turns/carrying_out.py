"""Carries out one call of a tool, in a thread of the process for queue `tools`.

The call's row decides: it is claimed by a conditional update, holds a lease by the database's clock while the
tool runs, and takes one result, of its current attempt.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, close_old_connections, transaction
from django.db.models.functions import Now

from chat.core.entry_points import check_text
from chat.core.errors import RefusedByRule
from chat.quotas import services as quotas
from chat.tools.base import Call, ToolFailed
from chat.tools.services import tool_for
from chat.turns import call_frames, call_tickets
from chat.turns.between_steps import MayNotGoOn, check_may_go_on, price_of_reply, waiting_step
from chat.turns.call_errors import CallError
from chat.turns.called_tools import arguments_of
from chat.turns.models import OPEN_CALLS, CallStatus, Generation, Status, ToolCall
from chat.turns.parts import storable
from inference.base import exit_status

logger = logging.getLogger("grokweb.tools")

RESULT_CHARS = 65_536
GRACE_SECONDS = 5.0  # beyond a tool's time, before its call is given up
THREADS = 4  # grokweb/service_plan.py has the same
_overdue: set[UUID] = set()  # calls whose tools kept a thread of this process beyond their time


@dataclass(frozen=True, slots=True)
class Outcome:
    status: CallStatus
    error: str = ""
    result: str = ""


def carry_out(call_id: UUID) -> None:
    """Runs a call that waits. A ticket for one that does not is harmless."""
    call = _claim(call_id)
    if call is None:
        return
    with _lease(call):
        _tell_pages(call)
        outcome = _run(call)
    store_result(call.pk, call.attempt, outcome)


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
    lease = Now() + timedelta(seconds=settings.CALL_LEASE_SECONDS)
    claimed = waiting.update(status=CallStatus.RUNNING, started_at=Now(), lease_until=lease)
    return call if claimed else None


def _refusal(call: ToolCall) -> str:
    """Returns why the call may not be begun; "" if it may."""
    step = waiting_step(call.step.message_id)
    if step is None or not _may_go_on(step):
        return CallError.ENDED
    tool = tool_for(call.name)
    if tool is None or not tool.may_use(step.user):
        return CallError.NO_TOOL
    return CallError.QUOTA if quotas.is_used_up(step.user, price_of_reply(step)) else ""


def _run(call: ToolCall) -> Outcome:
    """Returns what became of the call, whatever the tool does."""
    tool = tool_for(call.name)
    if tool is None:
        return Outcome(CallStatus.REFUSED, CallError.NO_TOOL)
    about = {"call": str(call.pk), "tool": call.name, "attempt": call.attempt}
    deadline = time.monotonic() + tool.seconds
    try:
        result = tool.run(Call(call.pk, call.step.user, arguments_of(call), deadline))
    except ToolFailed as error:
        return Outcome(CallStatus.FAILED, CallError.TOOL, str(error))
    except Exception:
        logger.exception("a tool failed", extra=about)
        return Outcome(CallStatus.FAILED, CallError.BROKEN)
    return Outcome(CallStatus.DONE, result=str(result))


def store_result(call_id: UUID, attempt: int, outcome: Outcome) -> bool:
    """Stores what became of a running call, once; returns whether this call did.

    A result of an older attempt is dropped. That of a reply that has ended or may not go on is stored without
    its text: what was carried out stays known.
    """
    step = _waiting_step_of(call_id)
    if outcome.result and (step is None or not _may_go_on(step)):
        outcome = Outcome(outcome.status, outcome.error)
    try:
        check_text("tool_result", storable(outcome.result))
    except RefusedByRule:
        outcome = Outcome(outcome.status, CallError.WITHHELD)
    return finish(call_id, outcome, before=CallStatus.RUNNING, attempt=attempt)


def _waiting_step_of(call_id: UUID) -> Generation | None:
    call = ToolCall.objects.filter(pk=call_id).select_related("step").first()
    return waiting_step(call.step.message_id) if call is not None else None


def _may_go_on(step: Generation) -> bool:
    try:
        check_may_go_on(step)
    except MayNotGoOn:
        return False
    return True


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


# --- The lease --------------------------------------------------------------------------------------------


@contextmanager
def _lease(call: ToolCall) -> Iterator[None]:
    """Renews the call's lease until the tool returns, or has had its time: then reconcile gives it up."""
    returned = threading.Event()
    tool = tool_for(call.name)
    seconds = (tool.seconds if tool else 0.0) + GRACE_SECONDS
    keeper = threading.Thread(target=_renew, args=(call, returned, seconds), name="call-lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        returned.set()
        keeper.join()
        _overdue.discard(call.pk)


def _renew(call: ToolCall, returned: threading.Event, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    held = ToolCall.objects.filter(pk=call.pk, attempt=call.attempt, status=CallStatus.RUNNING)
    while not returned.wait(min(settings.CALL_LEASE_SECONDS / 5, max(0.0, deadline - time.monotonic()))):
        if time.monotonic() >= deadline:
            break
        try:
            held.update(lease_until=Now() + timedelta(seconds=settings.CALL_LEASE_SECONDS))
        except DatabaseError as error:
            logger.warning("a lease was not renewed: %s", type(error).__name__, extra={"call": str(call.pk)})
        finally:
            close_old_connections()
    if not returned.is_set():
        _give_up(call)


def _give_up(call: ToolCall) -> None:
    """A thread cannot be ended. When all are kept by tools that do not return, the process ends, and is
    started again."""
    _overdue.add(call.pk)
    logger.error("a tool does not return", extra={"call": str(call.pk), "tool": call.name})
    finish(
        call.pk, Outcome(*_given_up(call, CallError.TIME)), before=CallStatus.RUNNING, attempt=call.attempt
    )
    close_old_connections()
    if len(_overdue) >= THREADS:
        logger.critical("all threads are kept by tools that do not return: this process ends")
        os._exit(exit_status.ENGINE_FAILED)


def _given_up(call: ToolCall, error: CallError) -> tuple[CallStatus, str]:
    """Returns status and error of a call of which nobody knows how far it came."""
    tool = tool_for(call.name)
    if tool is not None and tool.read_only:
        return CallStatus.FAILED, error
    return CallStatus.UNKNOWN, error


def give_up_lost(call: ToolCall) -> None:
    """Handles a call whose process died: runs a reading one once more, and no other."""
    tool = tool_for(call.name)
    expired = ToolCall.objects.filter(
        pk=call.pk, attempt=call.attempt, status=CallStatus.RUNNING, lease_until__lt=Now()
    )
    if tool is not None and tool.read_only and call.attempt == 1:
        again = {"status": CallStatus.QUEUED, "attempt": call.attempt + 1, "lease_until": None}
        if expired.update(**again, queued_at=Now()):
            logger.warning("a call is run again", extra={"call": str(call.pk), "tool": call.name})
            transaction.on_commit(lambda: _send_again(call.pk), robust=True)
    elif expired.exists():
        outcome = Outcome(*_given_up(call, CallError.LOST))
        finish(call.pk, outcome, before=CallStatus.RUNNING, attempt=call.attempt)


def _send_again(call_id: UUID) -> None:
    call_tickets.send([call_id])
    call_frames.publish([call_id])
