"""Leases of running calls: kept while a tool runs, given up where it does not return or its process died.

A lease is a time in the call's row, by the database's clock. It says that a process carries the call out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, close_old_connections, transaction
from django.db.models.functions import Now

from chat.tools.services import tool_for
from chat.turns import call_frames, call_tickets
from chat.turns.call_errors import CallError
from chat.turns.call_results import Outcome, finish
from chat.turns.models import CallStatus, ToolCall
from chat.turns.tool_threads import THREADS

logger = logging.getLogger("grokweb.tools")

GRACE_SECONDS = 5.0  # beyond a tool's time, before its call is given up


def until() -> Any:
    """Returns the end of a lease that begins now."""
    return Now() + timedelta(seconds=settings.CALL_LEASE_SECONDS)


@contextmanager
def kept(call: ToolCall) -> Iterator[None]:
    """Renews the call's lease until the tool returns, or has had its time: then the call is given up."""
    returned = threading.Event()
    found = tool_for(call.name)
    seconds = (found.tool.seconds if found else 0.0) + GRACE_SECONDS
    about = (call, returned, seconds, threading.get_ident())
    keeper = threading.Thread(target=_renew, args=about, name="call-lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        returned.set()
        keeper.join()


def _renew(call: ToolCall, returned: threading.Event, seconds: float, thread: int) -> None:
    deadline = time.monotonic() + seconds
    held = ToolCall.objects.filter(pk=call.pk, attempt=call.attempt, status=CallStatus.RUNNING)
    while not returned.wait(min(settings.CALL_LEASE_SECONDS / 5, max(0.0, deadline - time.monotonic()))):
        if time.monotonic() >= deadline:
            break
        try:
            held.update(lease_until=until())
        except DatabaseError as error:
            logger.warning("a lease was not renewed: %s", type(error).__name__, extra={"call": str(call.pk)})
        finally:
            close_old_connections()
    if not returned.is_set():
        _give_up(call)
        THREADS.lose(thread)


def _give_up(call: ToolCall) -> None:
    logger.error("a tool does not return", extra={"call": str(call.pk), "tool": call.name})
    outcome = Outcome(*_given_up(call, CallError.TIME))
    try:
        finish(call.pk, outcome, before=CallStatus.RUNNING, attempt=call.attempt)
    except DatabaseError as error:  # reconcile does it when the lease has expired
        logger.warning("a call was not given up: %s", type(error).__name__, extra={"call": str(call.pk)})
    finally:
        close_old_connections()


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
