"""Stores what a model wrote as a summary, and charges it once."""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from chat.conversations.models import Message
from chat.conversations.tree import BRANCH_MESSAGES, ids_to
from chat.core.entry_points import check_text
from chat.core.errors import RefusedByRule
from chat.core.text import trimmed
from chat.quotas import services as quotas
from chat.turns import reply_state, submission
from chat.turns.message_updates import announce_after_commit
from chat.turns.models import UNSETTLED, Summary, SummaryStatus
from chat.turns.parts import storable
from inference.contract import Reason
from inference.wire.log import Log

logger = logging.getLogger("grokweb.summaries")

HIDING = timedelta(minutes=1)  # longer than a message takes from being hidden to the commit of that


def finish(pk: UUID, attempt: int) -> None:
    log = reply_state.read_log(pk)
    if log.end is not None:
        settle(pk, attempt, log)
    submission.settled(pk)


def settle(pk: UUID, attempt: int, log: Log) -> bool:
    """Stores what the model wrote and charges it; only the current attempt of an unsettled row wins, once.

    Returns whether this call did. An id of a reply finds nothing here.
    """
    assert log.end is not None
    text = trimmed(storable(log.text))
    status = SummaryStatus.READY if log.end.reason in (Reason.STOP, Reason.LENGTH) else SummaryStatus.FAILED
    if log.end.reason is Reason.STOPPED:
        status = SummaryStatus.STOPPED
    try:
        check_text("summary", text)
    except RefusedByRule:
        status = SummaryStatus.FAILED
    if status == SummaryStatus.READY and (not text or log.end.left_out):
        status = SummaryStatus.FAILED  # it would stand for turns that its worker did not read
    with transaction.atomic():
        row = Summary.objects.select_for_update().filter(UNSETTLED, pk=pk, attempt=attempt).first()
        if row is None:
            return False
        if row.status == SummaryStatus.STOPPED:
            status = SummaryStatus.STOPPED
        elif status == SummaryStatus.READY and _has_read_hidden(row):
            status = SummaryStatus.FAILED
        text = text if status == SummaryStatus.READY else ""
        Summary.objects.filter(pk=pk).update(status=status, text=text, finished_at=Now())
        failed = log.end.reason is Reason.FAILED
        quotas.charge(
            generation_id=pk,
            prompt_tokens=0 if failed else log.end.prompt_tokens,
            completion_tokens=0 if failed else log.end.completion_tokens,
            is_estimated=log.end.is_estimated,
        )
        summary = Summary.objects.select_related("last__conversation").get(pk=pk)
        announce_after_commit(summary.last)
    about = {"generation": str(pk), "model": summary.model, "reason": str(log.end.reason)}
    logger.info("summary settled", extra={**about, "status": str(status)})
    return True


def _has_read_hidden(row: Summary) -> bool:
    """Returns whether a covered message may have been hidden after the prompt was made. The receiver of
    message_hidden misses a summary that was being asked for at that moment."""
    last = Message.objects.get(pk=row.last_id)
    hidden = Message.objects.filter(conversation=row.conversation_id, hidden_at__gte=row.created_at - HIDING)
    lately = set(hidden.values_list("pk", flat=True))
    return bool(lately) and not lately.isdisjoint(ids_to(last, BRANCH_MESSAGES))
