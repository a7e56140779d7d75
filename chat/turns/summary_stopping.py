"""Ends the writing of summaries."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from chat.quotas import services as quotas
from chat.turns import redis_client, submission
from chat.turns.message_updates import announce_after_commit
from chat.turns.models import Summary, SummaryStatus
from chat.turns.summary_settlement import finish

logger = logging.getLogger("grokweb.summaries")


def stop(summary: Summary) -> None:
    """Ends the writing of a summary; what has ended already stays. No other one is made there by itself.
    It is charged when the log has its end: with nothing, if no worker had begun."""
    with transaction.atomic():
        waiting = Summary.objects.filter(pk=summary.pk, status=SummaryStatus.WAITING)
        if waiting.update(status=SummaryStatus.STOPPED):
            transaction.on_commit(partial(stop_in_redis, summary.pk, summary.attempt), robust=True)
            announce_after_commit(summary.last)


def stop_all(**which: Any) -> None:
    for summary in Summary.objects.filter(status=SummaryStatus.WAITING, **which).select_related(
        "last__conversation"
    ):
        stop(summary)


def free(summary: Summary) -> None:
    """Releases what a summary that is being deleted reserved, and tells its worker after the commit."""
    quotas.charge(generation_id=summary.pk, prompt_tokens=0, completion_tokens=0)
    transaction.on_commit(partial(stop_in_redis, summary.pk, summary.attempt), robust=True)


def stop_in_redis(pk: UUID, attempt: int) -> None:
    try:
        if submission.stop(pk, attempt) in ("ended", "already"):
            finish(pk, attempt)
    except redis_client.UNAVAILABLE as error:
        logger.warning("stop of summary %s waits for reconcile: %s", pk, error)
