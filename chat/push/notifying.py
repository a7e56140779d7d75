"""Decides who is notified that an answer is ready, and does it beside the process' other work.

The settlement of a reply queues it (receivers.py). Only the jobs process sends, in threads of its own, so
that a slow push service holds up no other job. A failure is logged and never reaches the reply.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.utils import translation
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from chat.accounts.models import User
from chat.conversations.models import Conversation
from chat.core.context import SITE_NAME
from chat.push import access, services
from chat.push.models import PushDevice
from chat.turns import redis_client, visible_tabs
from chat.turns.models import Generation, Status
from inference.contract import Reason

if TYPE_CHECKING:
    from chat.push.sending import Outcome

logger = logging.getLogger("grokweb.push")

NOTIFY_TASK, AGAIN_TASK = "jobs.notify", "jobs.notify_again"
THREADS = 4
MOST_WAITING = 200  # messages that wait for a thread; more are dropped
TRIES = 3
PAUSES = (30, 120)  # seconds before the second and third try
LONGEST_WAIT = 600  # seconds that a push service may ask us to wait
MARK_SECONDS = 86_400

_pool: ThreadPoolExecutor | None = None
_waiting = threading.BoundedSemaphore(MOST_WAITING)


def ready(generation_id: UUID) -> None:
    """Queues the notification for a reply that was settled, if its person has asked for some."""
    if not settings.PUSH_KEY:
        return
    reply = _finished(generation_id)
    if reply is not None and access.has_devices(reply.user_id):
        _queue(NOTIFY_TASK, str(generation_id))


def notify(generation_id: UUID) -> None:
    """Sends one message to each browser of the person, once for each reply, unless a tab is visible."""
    reply = _finished(generation_id)
    if reply is None or not settings.PUSH_KEY or not _is_first(reply) or not _is_wanted(reply):
        return
    for device in access.usable_devices(reply.user):
        _start(device, reply, 1)


def notify_again(device_id: int, generation_id: UUID, tries: int) -> None:
    """Tries once more for one browser, if that is still wanted."""
    reply = _finished(generation_id)
    if reply is None or not settings.PUSH_KEY or not _is_wanted(reply):
        return
    for device in access.usable_devices(reply.user):
        if device.pk == device_id:
            _start(device, reply, tries)


def _finished(generation_id: UUID) -> Generation | None:
    """Returns a step that completed its reply; None for one that was stopped, failed, or calls tools."""
    found = Generation.objects.filter(pk=generation_id, status=Status.COMPLETE).exclude(reason=Reason.CALLS)
    return found.select_related("user", "message").first()


def _is_first(reply: Generation) -> bool:
    """Marks a reply as notified; False if it is already, or if Redis is away."""
    try:
        return bool(cache.add(f"notified:{reply.pk}", 1, MARK_SECONDS))
    except RedisError:
        return False


def _is_wanted(reply: Generation) -> bool:
    """Returns whether the answer is still there, and no page of the person is visible."""
    mine = Conversation.objects.visible_to(reply.user).filter(pk=reply.message.conversation_id)
    try:
        return not visible_tabs.is_any(reply.user_id) and mine.exists()
    except redis_client.UNAVAILABLE:
        return False


def message_for(device: PushDevice, person: User, conversation: UUID) -> bytes:
    """Returns what the service worker reads (templates/worker.js): no text and no title of the chat."""
    with translation.override(_language(person.language, device.language)):
        body = _("An answer is ready.")
    return json.dumps({"title": SITE_NAME, "body": body, "conversation": str(conversation)}).encode()


def _language(*codes: str) -> str:
    known = dict(settings.LANGUAGES)
    return next((code for code in codes if code in known), settings.LANGUAGE_CODE)


# --- Sending beside the task ------------------------------------------------------------------------------


def _start(device: PushDevice, reply: Generation, tries: int) -> None:
    from chat.push import sending  # loads `cryptography`

    address = sending.Address(device.pk, device.endpoint, device.p256dh, device.auth)
    message = message_for(device, reply.user, reply.message.conversation_id)

    def deliver() -> None:
        _note(device.pk, reply.pk, tries, sending.send(address, message))

    if settings.PUSH_IN_BACKGROUND:
        _in_thread(deliver)
    else:
        deliver()


def _in_thread(deliver: Callable[[], None]) -> None:
    global _pool
    if not _waiting.acquire(blocking=False):
        logger.warning("a notification was dropped: %d are waiting", MOST_WAITING)
        return
    _pool = _pool or ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="push")
    _pool.submit(_delivered, deliver)


def _delivered(deliver: Callable[[], None]) -> None:
    try:
        deliver()
    except DatabaseError as error:
        logger.warning("database: %s; what became of a notification is not stored", type(error).__name__)
    except Exception:
        logger.exception("a notification failed")
    finally:
        _waiting.release()
        connection.close()  # a connection of this thread


def _note(device: int, generation_id: UUID, tries: int, outcome: Outcome) -> None:
    if outcome.is_sent:
        services.note_success(device)
    elif outcome.is_gone:
        services.forget(device)
    elif outcome.may_pass and tries < TRIES and outcome.wait <= LONGEST_WAIT:
        pause = max(outcome.wait, PAUSES[tries - 1])
        _queue(AGAIN_TASK, device, str(generation_id), tries + 1, countdown=pause)
    else:
        services.note_failure(device)


def _queue(task: str, *args: object, countdown: float | None = None) -> None:
    try:
        current_app.send_task(task, args=list(args), countdown=countdown, retry=False, ignore_result=True)
    except (RedisError, OperationalError) as error:
        logger.warning("a notification was not queued: %s", type(error).__name__)
