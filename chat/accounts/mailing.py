"""Sends mails beside the request: no page shows by its time that a mail was sent.

What needs a mail asks first whether the server answers (`check`), for any address alike. A mail that the
server refuses later is given up after a few attempts; whoever sent it may then undo what waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import connection as database

from chat.core.errors import MailUnavailable

logger = logging.getLogger("grokweb.mail")

THREADS = 2
MOST_WAITING = 500
CHECK_SECONDS = 5  # seconds for the server to answer; a page waits for it
PAUSES = (2.0, 10.0)  # seconds before the second and third attempt

_pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="mail")
_waiting: set[Future[None]] = set()
_lock = threading.Lock()


def check() -> None:
    """Raises MailUnavailable if the mail server does not answer, or does not let us in."""
    server = get_connection(timeout=CHECK_SECONDS)
    try:
        server.open()
    except OSError as error:  # smtplib's errors are OSErrors
        logger.warning("the mail server does not answer: %s", type(error).__name__)
        raise MailUnavailable from None
    finally:
        server.close()


def send(message: EmailMessage, *, given_up: Callable[[], None] = lambda: None) -> None:
    """Hands a mail to the mail threads, which call `given_up` if it cannot be sent.

    Raises MailUnavailable for mails beyond MOST_WAITING.
    """
    if not settings.MAIL_IN_BACKGROUND:
        message.send()
        return
    with _lock:
        if len(_waiting) >= MOST_WAITING:
            logger.error("a mail was dropped: %d are waiting", len(_waiting))
            raise MailUnavailable
        future = _pool.submit(_deliver, message, given_up)
        _waiting.add(future)
    future.add_done_callback(_forget)


def _forget(future: Future[None]) -> None:
    with _lock:
        _waiting.discard(future)


def _deliver(message: EmailMessage, given_up: Callable[[], None]) -> None:
    for pause in (*PAUSES, None):
        try:
            message.send()
        except OSError as error:  # smtplib's errors are OSErrors
            if pause is None:
                logger.error("a mail was given up: %s", error)
                try:
                    given_up()
                finally:
                    database.close()  # a connection of this thread
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
