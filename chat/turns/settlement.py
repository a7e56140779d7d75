"""Settles a step once: stores text, status, usage and quota from the log that has its end."""

from __future__ import annotations

import logging
from functools import partial
from uuid import UUID

import msgspec
from django.db import DatabaseError, transaction
from django.db.models import TextField, Value
from django.db.models.functions import Concat, Now

from chat.conversations.models import Message, MessageStatus
from chat.quotas import services as quotas
from chat.turns import (
    call_frames,
    next_step,
    redis_client,
    reply_metrics,
    reply_state,
    submission,
    summary_asking,
    summary_settlement,
)
from chat.turns.call_errors import CallError
from chat.turns.frozen_prompt import FrozenPrompt
from chat.turns.models import NOT_BEGUN, CallStatus, Generation, Part, Status, ToolCall
from chat.turns.parts import parts_of, storable
from chat.turns.signals import reply_settled
from chat.turns.token_ids import packed
from inference.contract import Reason
from inference.wire.log import Log
from inference.wire.metrics import Times

logger = logging.getLogger("grokweb.turns")

REPORTED = (
    "model",
    "attempt",
    "status",
    "reason",
    "error",
    "prompt_tokens",
    "completion_tokens",
    "is_usage_estimated",
    "queued_ms",
    "first_token_ms",
    "total_ms",
)
STATUS_OF = {
    Reason.STOP: Status.COMPLETE,
    Reason.LENGTH: Status.COMPLETE,
    Reason.CALLS: Status.COMPLETE,
    Reason.STOPPED: Status.STOPPED,
    Reason.REFUSED: Status.REFUSED,
    Reason.FAILED: Status.FAILED,
}


def finish(generation_id: UUID, attempt: int) -> bool:
    """Settles a reply whose log has an end, and frees what Redis holds of it. Repeated calls are harmless.

    Returns whether this call settled the row.
    """
    log = reply_state.read_log(generation_id)
    settled = log.end is not None and settle(generation_id, attempt, log)
    if settled:
        _report(generation_id)
        _consider_summary(generation_id)
        # Robust: whatever a receiver does, the reply is settled.
        reply_settled.send_robust(Generation, generation_id=generation_id)
    elif log.end is not None:
        summary_settlement.settle(generation_id, attempt, log)
    if not Generation.objects.live().filter(pk=generation_id).exists():
        submission.settled(
            generation_id
        )  # also when somebody else settled it, or the row is gone with its user
    return settled


def _consider_summary(generation_id: UUID) -> None:
    """Never raises an error: the reply is settled, and a summary is only a help for the next one."""
    try:
        step = Generation.objects.filter(pk=generation_id).first()
        if step is not None and step.prompt_tokens:
            summary_asking.consider(step)
    except (DatabaseError, *redis_client.UNAVAILABLE):
        logger.exception("no summary after %s", generation_id, extra={"generation": str(generation_id)})


def settle_if_ended(message_id: UUID) -> bool:
    """Settles a message's live reply if its log has an end. Returns whether no reply of it is live now.

    Never call it inside a transaction: Redis is asked (rule 14).
    """
    live = Generation.objects.live().filter(message=message_id)
    try:
        for row in live:
            finish(row.pk, row.attempt)
    except redis_client.UNAVAILABLE:
        return False
    return not live.all().exists()


@transaction.atomic
def settle(generation_id: UUID, attempt: int, log: Log) -> bool:
    """Writes text, status, usage and quota in one transaction. Only the current attempt of a live row wins,
    once; returns whether this call did."""
    assert log.end is not None
    status = STATUS_OF[log.end.reason]
    known = Generation.objects.filter(pk=generation_id).values_list("step", "has_parts", "prompt").first()
    # Only a step that continues a thought has parts before its settlement; they stay the first ones.
    step, continues, prompt = known or (0, False, FrozenPrompt())
    reason = next_step.reason_of(log.end.reason, step)
    goes_on = reason is Reason.CALLS
    body = log.end.body
    others = parts_of(generation_id, log.pieces, first=int(continues))
    won = (
        Generation.objects.live()
        .filter(pk=generation_id, attempt=attempt)
        .update(
            status=status,
            finished_at=Now(),
            prompt_tokens=log.end.prompt_tokens,
            completion_tokens=log.end.completion_tokens,
            logged_tokens=None if log.end.completion_tokens == log.seq else log.seq,
            is_usage_estimated=log.end.is_estimated,
            turns_left_out=log.end.left_out,
            prompt=msgspec.structs.replace(prompt, thoughts=log.end.thoughts),
            prefill_ms=int(body.get("prefill_ms", 0)),
            decode_ms=int(body.get("decode_ms", 0)),
            queued_ms=log.end.queued_ms,
            first_token_ms=log.end.first_ms,
            total_ms=log.end.total_ms,
            reason=reason,
            error=log.end.error[:64],
            fingerprint=str(body.get("fingerprint", ""))[:120],
            token_ids=packed(log),
            has_parts=continues or bool(others),
            run=log.end.run,  # an end always counts, even if the run was raised after it was written
        )
    )
    if won == 0:
        return False
    Part.objects.bulk_create(others)
    # After the text that it continues.
    Message.objects.filter(steps=generation_id).update(
        text=Concat("text", Value(storable(log.text), TextField())),
        status=MessageStatus.LIVE if goes_on else MessageStatus(status),
    )
    _charge(generation_id, status, log)
    if goes_on:
        next_step.store(generation_id, log)
    elif step:
        transaction.on_commit(partial(_end_waiting_calls, generation_id), robust=True)
    return True


def _end_waiting_calls(generation_id: UUID) -> None:
    """Ends the calls that nobody has begun when their reply ends; those that run get their result."""
    calls = ToolCall.objects.filter(step__message__steps=generation_id, status__in=NOT_BEGUN)
    ids = list(calls.values_list("pk", flat=True))
    if ids:
        ended = {"status": CallStatus.REFUSED, "error": CallError.ENDED, "finished_at": Now()}
        ToolCall.objects.filter(pk__in=ids, status__in=NOT_BEGUN).update(**ended)
        call_frames.publish(ids)


def _charge(generation_id: UUID, status: Status, log: Log) -> None:
    """Counts the tokens of a reply against its person's day; a reply that failed costs nothing.

    Every failure is on the service's side (no memory, a dead worker, nobody ran the model) or came before the
    first step (too long). The text shown so far stays, and the reservation is released in full.
    """
    assert log.end is not None
    prompt, completion = log.end.prompt_tokens, log.end.completion_tokens
    if status == Status.FAILED:
        prompt = completion = 0
    quotas.charge(
        generation_id=generation_id,
        prompt_tokens=prompt,
        completion_tokens=completion,
        is_estimated=log.end.is_estimated,
    )


def _report(generation_id: UUID) -> None:
    """Logs a settled reply and counts it in the metrics: numbers, ids and codes, never its text."""
    row = Generation.objects.filter(pk=generation_id).values(*REPORTED).first()
    if row is None:
        return  # deleted at this very moment
    logger.info("reply settled", extra={"generation": str(generation_id), **row})
    reply_metrics.count_reply(
        row["model"],
        row["status"],
        Times.of(
            queued_ms=row["queued_ms"],
            first_ms=row["first_token_ms"],
            total_ms=row["total_ms"],
            prompt_tokens=row["prompt_tokens"],
            tokens=row["completion_tokens"],
            is_estimated=row["is_usage_estimated"],
        ),
    )
