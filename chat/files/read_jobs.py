"""Has a worker turn a stored file into text, or encode an image anew; again where the task was lost."""

from __future__ import annotations

import hashlib
import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

from celery import current_app
from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from chat.core.errors import BadInput
from chat.core.text import estimate_tokens, is_blank
from chat.files import reading
from chat.files.decoding import ENCODINGS
from chat.files.file_storage import place_of, remove_bytes, storage
from chat.files.models import File, Kind, State
from inference.contract import tokens_of_image

logger = logging.getLogger("grokweb.files")

READ_TASK = "jobs.read_file"
READ_AGAIN_AFTER = timedelta(minutes=2)  # the task may be lost; must stay well above reading.SECONDS
GIVEN_UP_AFTER = timedelta(minutes=15)


def ask_to_read(pk: UUID) -> None:
    try:
        current_app.send_task(READ_TASK, args=[str(pk)], retry=False, ignore_result=True)
    except (RedisError, OperationalError) as error:
        logger.warning("file %s waits for the sweep: %s", pk, error)


def read(pk: UUID) -> None:
    """Turns the bytes of a file into text, once; a text in the encoding that its owner chose, if any.

    An image is encoded anew, and the bytes that came in are deleted.
    """
    file = File.objects.filter(pk=pk, state=State.READING).first()
    if file is None:
        return
    chosen_one = file.report if file.report.get("chosen") else {}
    try:
        with storage().open(file.stored, "rb") as content:
            outcome = reading.read(content, Kind(file.kind), chosen_one.get("encoding", ""))
    except FileNotFoundError:
        outcome = reading.Outcome("lost")
    verdict, text = outcome.verdict, outcome.text
    image: dict[str, Any] = {}
    if file.kind == Kind.IMAGE:
        image = _stored_image(file, outcome) if verdict == "ok" else {}
    elif verdict == "ok" and is_blank(text):
        verdict, text = "empty", ""
    ready = verdict == "ok"
    values = {"tokens": estimate_tokens(text) if ready else 0, **image}
    updated = File.objects.filter(pk=pk, state=State.READING).update(
        state=State.READY if ready else State.FAILED,
        failure_reason="" if ready else verdict,
        report=outcome.report | chosen_one,
        text=text,
        characters=len(text),
        **values,
    )
    if image:
        remove_bytes(file.stored if updated else image["stored"])
    logger.info(
        "file read", extra={"file": str(pk), "kind": file.kind, "bytes": file.size, "verdict": verdict}
    )


def _stored_image(file: File, outcome: reading.Outcome) -> dict[str, Any]:
    """Stores an image as it was encoded anew; returns what its row says of that."""
    return {
        "stored": storage().save(f"{place_of(file)}-2", ContentFile(outcome.image)),
        "size": len(outcome.image),
        "sha256": hashlib.sha256(outcome.image).hexdigest(),
        "uploaded_sha256": file.sha256,
        "tokens": tokens_of_image(outcome.report["width"], outcome.report["height"]),
    }


def can_be_read_again(file: File) -> bool:
    return file.kind == Kind.TEXT and bool(file.stored) and not file.attachments.exists()


def read_again(file: File, encoding: str) -> None:
    """Asks for the text in another encoding, from the stored bytes. Raises BadInput; then nothing changes.

    A sent file stays as it was sent: the rules have read it, and the answers refer to it.
    """
    if encoding not in ENCODINGS:
        raise BadInput(_("This encoding is not known here."))
    if not can_be_read_again(file):
        raise BadInput(_("Only a text file that is not sent yet can be read in another encoding."))
    report = {"encoding": encoding, "chosen": True}
    File.objects.unsent().filter(pk=file.pk).update(state=State.READING, failure_reason="", report=report)
    transaction.on_commit(lambda: ask_to_read(file.pk), robust=True)
    file.refresh_from_db()


def repeat_lost() -> None:
    """Asks again for files whose reading task was lost, and gives up those that are asked for long."""
    now = timezone.now()
    reading_now = File.objects.filter(state=State.READING)
    reading_now.filter(created_at__lt=now - GIVEN_UP_AFTER).update(
        state=State.FAILED, failure_reason="too_slow"
    )
    for pk in reading_now.filter(created_at__lt=now - READ_AGAIN_AFTER).values_list("pk", flat=True):
        ask_to_read(pk)
