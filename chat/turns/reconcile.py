"""Compares live rows with Redis and repairs the differences (rules 1, 8, 9, 12). Runs every 2 s.

The event × state table is docs/live-path.md; tests/chat/turns/test_machine.py walks it at random.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F
from django.db.models.functions import Now

from chat.model_cards.capabilities import (
    capabilities_of,
    parse_announced_capabilities,
    parse_announced_licence,
)
from chat.model_cards.services import announce_model, note_seen, withdraw_model, withdraw_unseen
from chat.personas.sampling import parse_announced_sampling
from chat.turns import (
    reconcile_rest,
    redis_client,
    reply_state,
    served_models,
    settlement,
    submission,
    summary_reconcile,
    trial_marks,
)
from chat.turns.continued_thought import delete_if_forgotten, fields_of_new_run
from chat.turns.models import WITH_WORKERS, Generation, Status
from chat.turns.prompts import prompt_for
from chat.turns.requests import request_for
from inference.contract import ErrorCode, Kind, Reason, Resume
from inference.wire.lease import LeaseState

logger = logging.getLogger("grokweb.reconcile")

BATCH = 500
STRIKES_ALLOWED = 2


def reconcile() -> None:
    """Makes one pass. Raises redis.RedisError; the next pass continues."""
    if reconcile_rest.must_wait_for_workers(_live):
        return
    models = _reconcile_replies() | summary_reconcile.reconcile_summaries()
    for model in models:
        submission.top_up(model)


def _reconcile_replies() -> set[str]:
    """Repairs live replies, and returns their models."""
    # Those that wait for tools may do so for long: they must not fill the batch of the others.
    rows = [*_oldest(*WITH_WORKERS), *_oldest(Status.CALLING)]
    if not rows:
        return set()
    leases = reply_state.lease_states([row.pk for row in rows])
    pairs = list(zip(rows, leases, strict=True))
    _strike_dead_workers(lease.worker for row, lease in pairs if is_lost(row, lease))
    for row, lease in pairs:
        _repair_or_log(row, lease)
    return {row.model for row in rows}


def _oldest(*statuses: Status) -> list[Generation]:
    age = timedelta(seconds=settings.RECONCILE_AGE_SECONDS)
    rows = Generation.objects.filter(status__in=statuses, created_at__lt=Now() - age)
    rows = rows.select_related("message__conversation", "message__parent", "user")
    return list(rows.order_by("created_at")[:BATCH])


def _live() -> list[UUID]:
    """Returns the replies that Redis must know: one that waits for tools is in the database alone."""
    replies = Generation.objects.filter(status__in=WITH_WORKERS).values_list("pk", flat=True)
    return [*replies[:BATCH], *summary_reconcile.unsettled_ids()]


def sweep() -> None:
    """Removes replies that Redis counts as waiting or running though their rows are settled: it came back
    with older data, and they would count against their users' limits for ever. Trials of staff have no rows.
    """
    for model in served_models.announced_models():
        believed = reply_state.unfinished(
            model
        )  # read before the rows: a row is committed before it is submitted
        live = Generation.objects.live().filter(pk__in=believed).values_list("pk", flat=True)
        ghosts = believed - set(live) - set(summary_reconcile.unsettled_ids()) if believed else set()
        for ghost in ghosts - trial_marks.trials_among(ghosts):
            submission.settled(ghost)


def note_workers() -> None:
    """Notes which models have workers: a wait for a model ends some time after its last worker was seen."""
    for model in served_models.announced_models():
        if served_models.is_served(model):
            served_models.note_seen(model)


def is_lost(row: Generation, lease: LeaseState) -> bool:
    """Returns whether a worker had the reply at the row's attempt and its lease is gone: an unexplained
    death."""
    return lease.attempt == row.attempt and lease.state == "r" and not lease.leased and not lease.ended


def _repair_or_log(row: Generation, lease: LeaseState) -> None:
    """Repairs one row. One that cannot be repaired is logged and left; Redis or a database that is down ends
    the pass."""
    try:
        repair(row, lease)
    except (*redis_client.UNAVAILABLE, OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("not mended: %s", row.pk, extra={"generation": str(row.pk)})


def repair(row: Generation, lease: LeaseState) -> None:
    if lease.ended:
        settlement.finish(row.pk, row.attempt)  # (a) settle from the log, at the row's attempt
        return
    row.refresh_from_db(fields=["attempt", "run", "strikes", "status", "stop_requested_at"])
    if row.status not in WITH_WORKERS:
        return
    waits = lease.attempt == row.attempt and lease.state == "q"
    runs = lease.attempt == row.attempt and lease.state == "r" and lease.leased
    if row.stop_requested_at and (waits or runs):
        submission.stop(row.pk, row.attempt)  # the flag may have been lost
    elif row.stop_requested_at:
        _end(row, Reason.STOPPED)  # (c)
    elif row.strikes >= STRIKES_ALLOWED:
        _end(row, Reason.FAILED, ErrorCode.POISON)
    elif waits and lease.seq and _must_start_again(row) and served_models.is_served(row.model):
        # It was handed over or given back, and no worker can continue it. Without a worker its text stays.
        _submit_again(row, lease)
    elif waits:
        _end_if_no_worker_was_seen(row, lease)
    elif runs:
        _mark_running(row)  # (b)
    else:
        _submit_again(row, lease)  # (d)


def _end(row: Generation, reason: Reason, error: str | None = None) -> None:
    submission.end(row.pk, row.attempt, reason, error)
    settlement.finish(row.pk, row.attempt)


def _mark_running(row: Generation) -> None:
    if row.status == Status.QUEUED:
        Generation.objects.filter(pk=row.pk, status=Status.QUEUED).update(status=Status.RUNNING)


def _end_if_no_worker_was_seen(row: Generation, lease: LeaseState) -> None:
    """Ends a wait if no worker of the model that knows what the request needs was seen for
    GROKWEB_QUEUE_TIMEOUT (rule 12)."""
    waited = Generation.objects.live().filter(
        pk=row.pk, created_at__lt=Now() - timedelta(seconds=settings.QUEUE_TIMEOUT)
    )
    if not served_models.was_seen(row.model, lease.contract) and waited.exists():
        _end(
            row,
            Reason.FAILED,
            served_models.problem_of(served_models.workers(row.model)) or ErrorCode.NO_WORKER,
        )


def _submit_again(row: Generation, lease: LeaseState) -> None:
    """Submits a reply of which no worker holds the lease. Raises the attempt, so that the log refuses writes
    from a worker that still thinks it does; the next one continues from the log. Where it cannot, or reads
    another prompt, the run is raised with the attempt: Redis empties the log, and pages drop what they hold.
    """
    prompt = prompt_for(row)
    if not prompt.messages:
        _end(row, Reason.STOPPED)  # its question was hidden meanwhile
        return
    attempt = row.attempt
    row.attempt = max(attempt, lease.attempt) + 1
    fields: dict[str, Any] = {}
    if prompt.differs_from(row.prompt) or _must_start_again(row):
        row.run += 1
        fields = fields_of_new_run(row)
    request = request_for(row, prompt.messages)  # before the fence moves: it may fail
    fields |= {"attempt": row.attempt, "run": row.run, "prompt": prompt.frozen}
    if _store_attempt(row, attempt, fields):
        began = lease.attempt > 0 and (lease.state == "r" or lease.seq > 0)
        submission.submit(request, front=began or row.strikes > 0)
        about = {"generation": str(row.pk), "model": row.model, "attempt": row.attempt, "run": row.run}
        logger.info("reply submitted again", extra={**about, "strikes": row.strikes})


@transaction.atomic
def _store_attempt(row: Generation, attempt: int, fields: dict[str, Any]) -> bool:
    """Stores the next attempt of a reply and deletes the thought that it no longer continues, or neither.
    Returns whether the row was live and at the earlier attempt."""
    if not Generation.objects.live().filter(pk=row.pk, attempt=attempt).update(**fields):
        return False
    delete_if_forgotten(row)
    return True


def _must_start_again(row: Generation) -> bool:
    """Returns whether the next attempt cannot continue what the log has. Where Redis lost the log, pages may
    hold words that another computation would not repeat. A thought or a call that broke off is not continued
    from its text."""
    resume = capabilities_of(row.model).resume
    if resume is Resume.PREFIX:
        pieces = reply_state.read_log(row.pk).pieces
        return not pieces or pieces[-1].kind is not Kind.TEXT
    return resume is Resume.RESTART


# --- deaths (rule 8) --------------------------------------------------------------------------------


def _strike_dead_workers(workers: Iterable[str]) -> None:
    for worker in sorted({name for name in workers if name}):
        _strike_for(worker)


def _strike_for(worker: str) -> None:
    """Counts a death: it strikes the suspect that was in flight, else everything in flight; each death
    once."""
    held = reply_state.held_by(worker)
    rows = list(Generation.objects.live().filter(pk__in=held).exclude(struck_by=worker))
    flights = [
        row
        for row, lease in zip(rows, reply_state.lease_states([row.pk for row in rows]), strict=True)
        if is_lost(row, lease)
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
    """Takes back the strikes that a worker's absence caused: it was stopped or cut off, not dead.

    So it does where another worker has ended the reply meanwhile; a reply that failed keeps its strikes.
    """
    blamed = Generation.objects.filter(pk__in=generation_ids, struck_by=worker).exclude(status=Status.FAILED)
    blamed.filter(strikes__gt=0).update(strikes=F("strikes") - 1, struck_by="")
    blamed.update(struck_by="")


def sync_models() -> None:
    """Updates model cards with what workers announce and when one was last seen, and takes models out of the
    menus whose announcement has ended. Staff's choices stay."""
    models = served_models.announced_models()
    for slug, announced in models.items():
        if served_models.withdraw_if_removed(slug, announced.get("host", "")):
            withdraw_model(slug)
            continue
        card = announce_model(
            slug=slug,
            name=announced.get("name", slug),
            about=announced.get("about", ""),
            context_tokens=int(announced.get("context", 1024)),
            is_demo=announced.get("is_demo") == "1",
            sampling=parse_announced_sampling(announced.get("sampling", "{}")),
            capabilities=parse_announced_capabilities(announced.get("capabilities", "{}")),
            licence=parse_announced_licence(announced.get("licence", "{}")),
        )
        if served_models.is_served(slug):
            note_seen(card)
    withdraw_unseen(models)
