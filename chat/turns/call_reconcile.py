"""Repairs what was lost between two steps: tickets, processes that ran calls, decisions that never came.

It needs the database alone; Redis holds nothing of calls but tickets. Runs every 2 s, before reconcile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from chat.tools.services import tool_for
from chat.turns import between_steps, call_tickets, redis_client
from chat.turns.call_errors import CallError
from chat.turns.call_leases import give_up_lost
from chat.turns.call_results import Outcome, finish
from chat.turns.models import OPEN_CALLS, CallStatus, Generation, Status, ToolCall
from inference.contract import Reason

logger = logging.getLogger("grokweb.reconcile")

Row = TypeVar("Row", ToolCall, Generation)
BATCH = 500
TICKET_SECONDS = 5  # after which a call that waits gets another ticket


def reconcile_calls() -> None:
    """Makes one pass. Raises redis_client.UNAVAILABLE; the next pass continues."""
    for call in ToolCall.objects.filter(_has_waited_too_long())[:BATCH]:
        _or_log(_repair, call)
    open_calls = ToolCall.objects.filter(step__message=OuterRef("message"), status__in=OPEN_CALLS)
    steps = Generation.objects.filter(status=Status.CALLING)
    to_move = steps.filter(Q(stop_requested_at__isnull=False) | ~Exists(open_calls))
    for step in to_move.order_by("created_at")[:BATCH]:
        _or_log(_move_on, step)


def _has_waited_too_long() -> Q:
    """Returns which calls need something: only those that ran, waited or were asked for long enough."""
    asked = Now() - timedelta(seconds=settings.APPROVAL_SECONDS)
    ticket = Now() - timedelta(seconds=TICKET_SECONDS)
    return (
        Q(status=CallStatus.RUNNING, lease_until__lt=Now())
        | Q(status=CallStatus.WAITING, created_at__lt=asked)
        | Q(status=CallStatus.QUEUED, queued_at__lt=ticket)
    )


def _or_log(repair: Callable[[Row], None], row: Row) -> None:
    """Repairs one row; one that cannot be repaired is logged and left."""
    try:
        repair(row)
    except (*redis_client.UNAVAILABLE, OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("not repaired: %s", row.pk)


def _move_on(step: Generation) -> None:
    if step.stop_requested_at:
        between_steps.end(step.pk, Reason.STOPPED)
    else:
        between_steps.advance(step.pk)


def _repair(call: ToolCall) -> None:
    if call.status == CallStatus.RUNNING:
        give_up_lost(call)
    elif call.status == CallStatus.WAITING:
        finish(call.pk, Outcome(CallStatus.REFUSED, CallError.NOT_DECIDED), before=CallStatus.WAITING)
    elif tool_for(call.name) is None:
        finish(call.pk, Outcome(CallStatus.REFUSED, CallError.NO_TOOL), before=CallStatus.QUEUED)
    elif _nobody_runs(call):
        finish(call.pk, Outcome(CallStatus.FAILED, CallError.NOT_RUN), before=CallStatus.QUEUED)
    else:
        waiting = ToolCall.objects.filter(pk=call.pk, status=CallStatus.QUEUED)
        if waiting.update(queued_at=Now()):
            call_tickets.send([call.pk])


def _nobody_runs(call: ToolCall) -> bool:
    """Returns whether a call has waited longer than a reply may for its model (rule 12)."""
    late = Now() - timedelta(seconds=settings.QUEUE_TIMEOUT + settings.APPROVAL_SECONDS)
    return ToolCall.objects.filter(pk=call.pk, created_at__lt=late).exists()
