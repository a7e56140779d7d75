"""Sends mails beside the request: no page waits for the mail server, or shows by its time that it did."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait

from django.conf import settings
from django.core.mail import EmailMessage

logger = logging.getLogger("grokweb.mail")

THREADS = 2
MOST_WAITING = 500
PAUSES = (2.0, 10.0)  # seconds before the second and third attempt

_pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="mail")
_waiting: set[Future[None]] = set()
_lock = threading.Lock()


def send(message: EmailMessage) -> None:
    """Hands a mail to the mail threads. Mails beyond MOST_WAITING are dropped, which is logged."""
    if not settings.MAIL_IN_BACKGROUND:
        message.send()
        return
    with _lock:
        if len(_waiting) >= MOST_WAITING:
            logger.error("a mail was dropped: %d are waiting", len(_waiting))
            return
        future = _pool.submit(_deliver, message)
        _waiting.add(future)
    future.add_done_callback(_forget)


def _forget(future: Future[None]) -> None:
    with _lock:
        _waiting.discard(future)


def _deliver(message: EmailMessage) -> None:
    for pause in (*PAUSES, None):
        try:
            message.send()
        except OSError as error:  # smtplib's errors are OSErrors
            if pause is None:
                logger.error("a mail was given up: %s", error)
                return
            logger.warning("the mail server does not answer (%s); another attempt in %d s", error, pause)
            time.sleep(pause)
        else:
            return


def finish(seconds: float) -> None:
    """Waits for the mails that are being sent; called when the process stops."""
    with _lock:
        left = set(_waiting)
    wait(left, timeout=seconds)
