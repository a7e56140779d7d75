"""Begins the step after the calls of tools, or ends the reply there.

It checks again whether the reply was stopped, its user suspended or taken out of the model's groups, its
conversation deleted or its messages hidden, and the quota.
"""

from __future__ import annotations

import logging
from decimal import Decimal
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models.functions import Now

from chat.core.errors import QuotaExceeded
from chat.model_cards.access import answers
from chat.model_cards.limits import context_tokens
from chat.model_cards.models import ModelCard
from chat.quotas import services as quotas
from chat.turns import settlement, submission
from chat.turns.models import OPEN_CALLS, WITH_WORKERS, Generation, Status, ToolCall
from chat.turns.prompts import estimate_prompt, prompt_for
from chat.turns.requests import request_without_images, with_images
from inference.contract import ErrorCode, GenerationRequest, Reason

logger = logging.getLogger("grokweb.turns")


class MayNotGoOn(Exception):
    """The reply ends here, for this reason."""

    def __init__(self, reason: Reason, error: str = "") -> None:
        super().__init__(reason)
        self.reason, self.error = reason, error


def advance(step_id: UUID) -> None:
    """Begins a step whose calls have all ended, or ends the reply if it may not go on. Repeated calls are
    harmless. Raises redis_client.UNAVAILABLE; reconcile then does the rest."""
    try:
        request = _begin(step_id)
    except MayNotGoOn as refused:
        end(step_id, refused.reason, refused.error)
    except QuotaExceeded:
        end(step_id, Reason.FAILED, ErrorCode.QUOTA)
    else:
        if request is not None:
            submission.submit(with_images(request))
            about = {"generation": request.generation_id, "model": request.model}
            logger.info("step begun", extra=about)


def end(step_id: UUID, reason: Reason, error: str = "") -> None:
    """Ends a reply between two steps, with the text so far. Raises redis_client.UNAVAILABLE."""
    row = Generation.objects.filter(pk=step_id, status=Status.CALLING).first()
    if row is not None:
        submission.end(row.pk, row.attempt, reason, error)
        settlement.finish(row.pk, row.attempt)


def check_may_go_on(step: Generation) -> None:
    """Raises an error if nothing more may be done for this reply. `step` is the one that waits."""
    message = step.message
    if step.stop_requested_at or message.hidden_at or message.parent is None or message.parent.hidden_at:
        raise MayNotGoOn(Reason.STOPPED)
    gone = message.conversation.deleted_at is not None
    if gone or not step.user.is_active or step.user.is_suspended:
        raise MayNotGoOn(Reason.STOPPED)
    card = ModelCard.objects.filter(slug=step.model).first()
    if card is not None and card.is_limited and not answers(card, step.user):
        raise MayNotGoOn(Reason.STOPPED)  # the person left the groups that may use it


def may_go_on(step: Generation) -> bool:
    """Returns whether check_may_go_on raises no error."""
    try:
        check_may_go_on(step)
    except MayNotGoOn:
        return False
    return True


def price_of_reply(step: Generation) -> Decimal:
    """Returns the price that the model had when the reply was asked for."""
    return quotas.price_of(Generation.objects.steps_of(step.message)[0].pk)


def waiting_step(message_id: UUID) -> Generation | None:
    """Returns the step of a reply that waits for calls, with what check_may_go_on reads."""
    related = ("message__conversation", "message__parent", "user")
    waiting = Generation.objects.filter(message=message_id, status=Status.CALLING)
    return waiting.select_related(*related).first()


@transaction.atomic
def _begin(step_id: UUID) -> GenerationRequest | None:
    """Returns the request of the step, without images, which then waits for a worker; None if it is not its
    time. Raises MayNotGoOn and QuotaExceeded; then nothing is stored."""
    locked = Generation.objects.select_for_update().filter(pk=step_id, status=Status.CALLING).first()
    step = waiting_step(locked.message_id) if locked is not None else None
    if step is None:
        return None
    check_may_go_on(step)
    if ToolCall.objects.filter(step__message=step.message_id, status__in=OPEN_CALLS).exists():
        return None
    prompt = prompt_for(step)
    if not prompt.messages:
        raise MayNotGoOn(Reason.STOPPED)
    tokens = min(estimate_prompt(prompt.messages), context_tokens(step.model))
    price = price_of_reply(step)
    granted = quotas.reserve(
        user=step.user,
        allowance=quotas.open_today(step.user, price),
        generation_id=step.pk,
        model=step.model,
        prompt_tokens=tokens,
        max_new_tokens=step.parameters.max_new_tokens,
        price=price,
    )
    parameters = msgspec.structs.replace(step.parameters, max_new_tokens=granted)
    begun = Generation.objects.filter(pk=step.pk, status=Status.CALLING, stop_requested_at=None).update(
        status=WITH_WORKERS[0],
        created_at=Now(),  # it waits for a worker from now on
        parameters=parameters,
        prompt=prompt.frozen,
        reserved=tokens + granted,
    )
    if not begun:
        raise MayNotGoOn(Reason.STOPPED)
    step.refresh_from_db()
    return request_without_images(step, prompt.messages)
