"""Stopping replies that wait or run: for a person, a deletion, a suspension, a hidden question."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from chat.accounts.models import User
from chat.conversations.access import message_for
from chat.core.storage import write_if_room
from chat.turns import redis_client, submission
from chat.turns.models import Generation, Status
from inference.contract import Reason

logger = logging.getLogger("grokweb.turns")


def stop(*, user: User, message_id: UUID) -> None:
    """Stops a person's reply; one that has ended already is left as it is. Raises NotFound."""
    message = message_for(user, message_id)
    generation = Generation.objects.live().filter(message=message).first()
    if generation is not None:
        request_stop(generation)


def request_stop(generation: Generation) -> None:
    """Stops the reply of a live step. The step may be settled meanwhile: then the one that follows it is
    stopped, which took over no request that was not stored yet."""
    asked: list[UUID] = []
    step: Generation | None = generation
    while step is not None:
        _request(step)
        asked.append(step.pk)
        others = Generation.objects.live().filter(message=generation.message_id).exclude(pk__in=asked)
        step = others.first()


def _request(generation: Generation) -> None:
    """Stores the request in the row, then tells Redis (rule 10); reconcile repeats what Redis missed.

    With a full disk the row cannot store it: then Redis alone knows, which ends the reply all the same.
    """
    row = Generation.objects.live().filter(pk=generation.pk, stop_requested_at=None)
    write_if_room(lambda: row.update(stop_requested_at=Now()))
    pk, attempt = generation.pk, generation.attempt
    transaction.on_commit(lambda: _stop_in_redis(pk, attempt), robust=True)


def stop_all(**which: Any) -> None:
    """Stops every live reply that matches the filter, such as those of a conversation or of a user."""
    for generation in Generation.objects.live().filter(**which):
        request_stop(generation)


def _stop_in_redis(pk: UUID, attempt: int) -> None:
    try:
        answer = submission.stop(pk, attempt)
        if answer == "unknown" and Generation.objects.filter(pk=pk, status=Status.CALLING).exists():
            submission.end(pk, attempt, Reason.STOPPED)  # it waits for tools, and no worker has it
            submission.publish_finish(pk, attempt)
    except redis_client.UNAVAILABLE as error:
        logger.warning("stop of %s waits for reconcile: %s", pk, error, extra={"generation": str(pk)})
