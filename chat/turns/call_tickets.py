"""Sends the messages that wake whoever carries out calls and begins steps.

They are tickets as those of model workers (rule 6): the rows say what is to be done, so a ticket may be lost
or come twice.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from celery import current_app

from chat.turns import redis_client
from inference.contract import CHAT_QUEUE, TOOLS_QUEUE

logger = logging.getLogger("grokweb.turns")

CALL_TASK = "tools.run_call"
NEXT_STEP_TASK = "chat.begin_step"
EXPIRES_SECONDS = 60  # reconcile sends others


def send(calls: Sequence[UUID]) -> None:
    """Asks for these calls to be carried out. Without the broker, reconcile asks again."""
    for call in calls:
        _send(CALL_TASK, call, TOOLS_QUEUE)


def send_next_step(step: UUID) -> None:
    """Asks for a step to be begun whose calls have ended, or to be ended."""
    _send(NEXT_STEP_TASK, step, CHAT_QUEUE)


def _send(task: str, pk: UUID, queue: str) -> None:
    try:
        current_app.send_task(task, args=[str(pk)], queue=queue, expires=EXPIRES_SECONDS, retry=False)
    except redis_client.UNAVAILABLE as error:
        logger.warning("%s of %s waits for reconcile: %s", task, pk, error)
