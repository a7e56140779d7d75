"""Repairs summaries that are being written. Reconcile calls it after its rest."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db.models import F
from django.db.models.functions import Now

from chat.turns import redis_client, reply_state, served_models, submission
from chat.turns.models import UNSETTLED, Summary, SummaryStatus
from chat.turns.summary_asking import request_for
from chat.turns.summary_settlement import finish
from chat.turns.summary_stopping import stop_in_redis
from inference.contract import Reason
from inference.wire.lease import LeaseState

logger = logging.getLogger("grokweb.summaries")

MOST_ATTEMPTS = 3


def unsettled_ids() -> list[UUID]:
    return list(Summary.objects.filter(UNSETTLED).values_list("pk", flat=True))


def reconcile_summaries() -> set[str]:
    """Compares unsettled summaries with Redis, and returns their models. One whose worker died fails: a
    prompt that kills workers must not get a second one, and a summary is not worth a strike."""
    age = timedelta(seconds=settings.RECONCILE_AGE_SECONDS)
    old = Summary.objects.filter(UNSETTLED, created_at__lt=Now() - age)
    rows = list(old.select_related("last__conversation", "user"))
    if not rows:
        return set()
    leases = reply_state.lease_states([row.pk for row in rows])
    for row, lease in zip(rows, leases, strict=True):
        _repair_or_log(row, lease)
    return {row.model for row in rows}


def _repair_or_log(row: Summary, lease: LeaseState) -> None:
    """Repairs one row, as reconcile does with replies: one that cannot be repaired must not end the pass."""
    try:
        _repair(row, lease)
    except (*redis_client.UNAVAILABLE, OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("not mended: %s", row.pk, extra={"generation": str(row.pk)})


def _repair(row: Summary, lease: LeaseState) -> None:
    known = lease.attempt == row.attempt
    if lease.ended:
        finish(row.pk, row.attempt)
    elif row.status == SummaryStatus.STOPPED:
        if known and (lease.state == "q" or lease.leased):
            stop_in_redis(row.pk, row.attempt)  # the flag may have been lost
        else:
            _end(row, Reason.STOPPED)
    elif known and lease.state == "r" and not lease.leased:
        _end(row, Reason.FAILED)
    elif known and lease.state == "q":
        long_ago = Now() - timedelta(seconds=settings.QUEUE_TIMEOUT)
        waited = Summary.objects.filter(pk=row.pk, created_at__lt=long_ago)
        if not served_models.was_seen(row.model) and waited.exists():
            _end(row, Reason.FAILED)
    elif not (known and lease.leased):
        _submit_again(row)  # Redis does not have it


def _end(row: Summary, reason: Reason) -> None:
    submission.end(row.pk, row.attempt, reason)
    finish(row.pk, row.attempt)


def _submit_again(row: Summary) -> None:
    if row.attempt >= MOST_ATTEMPTS:
        _end(row, Reason.FAILED)
        return
    raised = Summary.objects.filter(pk=row.pk, status=SummaryStatus.WAITING, attempt=row.attempt)
    if raised.update(attempt=F("attempt") + 1):
        row.attempt += 1
        submission.submit(request_for(row))
