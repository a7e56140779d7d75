"""Compares live rows with Redis and mends what fell between (rules 1, 8, 9, 12). Run every 2 s.

The event × state table is docs/live-path.md; tests/chat/turns/test_machine.py walks it at random.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db.models import F
from django.db.models.functions import Now

from chat.conversations.model_cards import announce_model, note_seen
from chat.turns import port, services
from chat.turns.models import Generation, Status
from inference.contract import ErrorCode, Reason
from inference.lease import Look

logger = logging.getLogger("grokweb.reconcile")

BATCH = 500
STRIKES_ALLOWED = 2


def reconcile() -> None:
    """One pass. Raises redis.RedisError: the next pass goes on."""
    if port.resting(_live):
        return
    age = timedelta(seconds=settings.RECONCILE_AGE_SECONDS)
    rows = list(
        Generation.objects.live()
        .filter(created_at__lt=Now() - age)
        .select_related("message__conversation", "message__parent", "user")
        .order_by("created_at")[:BATCH]
    )
    if not rows:
        return
    looks = port.look([row.pk for row in rows])
    pairs = list(zip(rows, looks, strict=True))
    _judge_dead_workers(look.worker for row, look in pairs if is_lost(row, look))
    for row, look in pairs:
        _mend_alone(row, look)
    for model in {row.model for row in rows}:
        port.top_up(model)


def _live() -> list[UUID]:
    return list(Generation.objects.live().values_list("pk", flat=True)[:BATCH])


def sweep() -> None:
    """Redis came back with older data: what it believes to wait or run, though the row is settled, goes.

    Otherwise it would count against its user's limits for ever.
    """
    for model in port.announced_models():
        believed = port.unfinished(model)  # read before the rows: a row is committed before it is submitted
        live = Generation.objects.live().filter(pk__in=believed).values_list("pk", flat=True)
        for ghost in believed - set(live) if believed else ():
            port.settled(ghost)


def note_workers() -> None:
    """Remembers which models are served: a wait for one ends some time after the last worker was seen."""
    for model in port.announced_models():
        if port.workers(model):
            port.note_seen(model)


def is_lost(row: Generation, look: Look) -> bool:
    """Its worker had it at the row's attempt and the lease is gone: an unexplained death."""
    return look.attempt == row.attempt and look.state == "r" and not look.leased and not look.ended


def _mend_alone(row: Generation, look: Look) -> None:
    """A row that cannot be mended must not keep the others from it; what is down is down for all of them."""
    try:
        mend(row, look)
    except (*port.UNAVAILABLE, OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("not mended: %s", row.pk, extra={"generation": str(row.pk)})


def mend(row: Generation, look: Look) -> None:
    if look.ended:
        services.finish(row.pk, row.attempt)  # (a) settle from the log, at the row's attempt
        return
    row.refresh_from_db(fields=["attempt", "strikes", "status", "stop_requested_at"])
    if row.status not in (Status.QUEUED, Status.RUNNING):
        return
    waits = look.attempt == row.attempt and look.state == "q"
    runs = look.attempt == row.attempt and look.state == "r" and look.leased
    if row.stop_requested_at and (waits or runs):
        port.stop(row.pk, row.attempt)  # the flag may have been lost
    elif row.stop_requested_at:
        _end(row, Reason.STOPPED)  # (c)
    elif row.strikes >= STRIKES_ALLOWED:
        _end(row, Reason.FAILED, ErrorCode.POISON)
    elif waits:
        _end_if_nobody_comes(row)
    elif runs:
        _mark_running(row)  # (b)
    else:
        _submit_again(row, look)  # (d)


def _end(row: Generation, reason: Reason, error: ErrorCode | None = None) -> None:
    port.end(row.pk, row.attempt, reason, error)
    services.finish(row.pk, row.attempt)


def _mark_running(row: Generation) -> None:
    if row.status == Status.QUEUED:
        Generation.objects.filter(pk=row.pk, status=Status.QUEUED).update(status=Status.RUNNING)


def _end_if_nobody_comes(row: Generation) -> None:
    """Rule 12: a wait ends where no worker of the model was seen for GROKWEB_QUEUE_TIMEOUT."""
    waited = Generation.objects.live().filter(
        pk=row.pk, created_at__lt=Now() - timedelta(seconds=settings.QUEUE_TIMEOUT)
    )
    if not port.was_seen(row.model) and waited.exists():
        _end(row, Reason.FAILED, ErrorCode.NO_WORKER)


def _submit_again(row: Generation, look: Look) -> None:
    """Nobody has it: a higher attempt fences off whoever believes to. It goes on from the log."""
    messages = services.prompt_for(row)
    if not messages:
        _end(row, Reason.STOPPED)  # its question was hidden meanwhile
        return
    attempt = row.attempt
    row.attempt = max(attempt, look.attempt) + 1
    request = services.request_for(row, messages)  # before the fence moves: it may fail
    if Generation.objects.live().filter(pk=row.pk, attempt=attempt).update(attempt=row.attempt):
        began = look.attempt > 0 and look.state == "r"
        port.submit(request, front=began or row.strikes > 0)
        about = {"generation": str(row.pk), "model": row.model, "attempt": row.attempt}
        logger.info("reply submitted again", extra={**about, "strikes": row.strikes})


# --- deaths (rule 8) --------------------------------------------------------------------------------


def _judge_dead_workers(workers: Iterable[str]) -> None:
    for worker in sorted({name for name in workers if name}):
        _judge(worker)


def _judge(worker: str) -> None:
    """A death strikes the suspect that was in flight, else everything in flight; each death counts once."""
    held = port.held_by(worker)
    rows = list(Generation.objects.live().filter(pk__in=held).exclude(struck_by=worker))
    flights = [
        row for row, look in zip(rows, port.look([row.pk for row in rows]), strict=True) if is_lost(row, look)
    ]
    suspects = [row.pk for row in flights if row.strikes > 0]
    struck = suspects or [row.pk for row in flights]
    Generation.objects.live().filter(pk__in=struck).update(strikes=F("strikes") + 1, struck_by=worker)
    # The others are marked too, so that a later pass does not find them alone and blame them.
    spared = {row.pk for row in flights} - set(struck)
    Generation.objects.live().filter(pk__in=spared).update(struck_by=worker)
    logger.warning(
        "worker %s died with %d replies, %d struck",
        worker,
        len(flights),
        len(struck),
        extra={"worker": worker},
    )


def worker_returned(worker: str, generation_ids: list[UUID]) -> None:
    """It was not dead, only away (stopped, cut off): fencing gives no strike.

    Also where another worker has ended the reply meanwhile; only what failed keeps its reasons.
    """
    blamed = Generation.objects.filter(pk__in=generation_ids, struck_by=worker).exclude(status=Status.FAILED)
    blamed.filter(strikes__gt=0).update(strikes=F("strikes") - 1, struck_by="")
    blamed.update(struck_by="")


def sync_models() -> None:
    """Model cards follow what workers announce, and when one was last seen. What staff chose stays."""
    for slug, announced in port.announced_models().items():
        card = announce_model(
            slug=slug,
            name=announced.get("name", slug),
            about=announced.get("about", ""),
            context_tokens=int(announced.get("context", 1024)),
            is_demo=announced.get("is_demo") == "1",
        )
        if port.workers(slug):
            note_seen(card)
