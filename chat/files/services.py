"""Stores files, has workers read them, attaches them to messages, adds them to prompts and deletes them."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import PurePosixPath
from typing import IO, Any
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from chat.accounts.models import User
from chat.conversations.models import Conversation, Message, Role
from chat.core.entry_points import check_text
from chat.core.errors import BadInput, NotFound
from chat.core.sizes import file_too_large, mb
from chat.core.storage import check_room
from chat.core.text import estimate_tokens, is_blank
from chat.files import reading
from chat.files.decoding import ENCODINGS
from chat.files.kinds import HEAD, kind_of
from chat.files.models import Attachment, File, Kind, State
from chat.files.names import clean_name
from chat.files.words import remarks_on, words_for
from chat.model_cards import images
from inference.contract import tokens_of_image

logger = logging.getLogger("grokweb.files")

READ_TASK = "jobs.read_file"
A_MESSAGE = 10  # files
UNSENT_FOR = timedelta(days=1)
READ_AGAIN_AFTER = timedelta(minutes=2)  # the task may be lost; must stay well above reading.SECONDS
GIVEN_UP_AFTER = timedelta(minutes=15)
FENCE_CHARACTERS = 17  # "File: ", two fences of three, four line ends, and two before the text


def storage() -> Storage:
    """Returns the private storage of files; nothing in it has a public address."""
    return storages["files"]


def place_of(file: File) -> str:
    """Returns the name under which the bytes are stored."""
    return f"{file.pk.hex[:2]}/{file.pk.hex}"


# --- In ---------------------------------------------------------------------------------------------------


def store(*, owner: User, content: IO[bytes], name: str, size: int) -> File:
    """Stores a file and asks a worker to read it. Raises BadInput; then nothing is stored."""
    if size > settings.FILE_BYTES:
        raise BadInput(file_too_large(settings.FILE_BYTES))
    name = clean_name(name)
    check_text("file_name", name)  # its text is checked when it is sent
    content.seek(0)
    kind = kind_of(content.read(HEAD))
    if kind == Kind.IMAGE:
        images.check_somebody_sees(owner)
    _check_room(owner, size)  # before the bytes are copied, and again below, under the lock
    check_room("files", size)
    check_room()
    file = File(owner=owner, name=name, kind=kind, size=size, sha256=_digest(content))
    content.seek(0)
    file.stored = place_of(file)
    try:
        file.stored = storage().save(file.stored, content)
        with transaction.atomic():
            User.objects.select_for_update().get(
                pk=owner.pk
            )  # so that two uploads cannot both take the last space
            _check_room(owner, size)
            file.save(force_insert=True)
            transaction.on_commit(lambda: ask_to_read(file.pk), robust=True)
    except BaseException:
        remove_bytes(file.stored)  # also what was written before the disk was full
        raise
    file.refresh_from_db(fields=["created_at"])
    return file


def bytes_of(owner: User) -> int:
    return File.objects.filter(owner=owner).aggregate(sum=Sum("size"))["sum"] or 0


def _check_room(owner: User, size: int) -> None:
    used = bytes_of(owner)
    if used + size > settings.FILES_BYTES:
        raise BadInput(
            _(
                "Your files take %(used)d of %(limit)d MB, so this one does not fit. "
                "Delete conversations with files to make room."
            )
            % {"used": mb(used), "limit": mb(settings.FILES_BYTES)}
        )


def _digest(content: IO[bytes]) -> str:
    content.seek(0)
    return hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]


def of_text(*, owner: User, name: str, text: str) -> File:
    """Builds, without saving, a file of which only the text is known, as an import brings it."""
    data = text.encode()
    return File(
        owner=owner,
        name=clean_name(name),
        kind=Kind.TEXT,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        state=State.READY,
        text=text,
        characters=len(text),
        tokens=estimate_tokens(text),
    )


def absent_image(*, owner: User, name: str) -> File:
    """Builds, without saving, an image of which only the name is known, as an import without bytes brings
    it.
    """
    return File(
        owner=owner,
        name=clean_name(name),
        kind=Kind.IMAGE,
        size=0,
        sha256=hashlib.sha256(b"").hexdigest(),
        state=State.READY,
    )


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


# --- With a message ---------------------------------------------------------------------------------------


def chosen(user: User, ids: Sequence[UUID], conversation: Conversation | None) -> list[File]:
    """Returns the files that a message names: the sender's own, ready, and attached only within this
    conversation.

    Without their texts, which `load_texts` reads once nothing else speaks against the message.
    """
    if len(ids) > A_MESSAGE:
        raise BadInput(_("A message can have at most %(limit)d files.") % {"limit": A_MESSAGE})
    if not ids:
        return []
    elsewhere = Attachment.objects.filter(file__in=ids)
    if conversation is not None:
        elsewhere = elsewhere.exclude(message__conversation=conversation)  # a new version keeps its files
    taken = set(elsewhere.values_list("file", flat=True))
    found = File.objects.visible_to(user).defer("text").in_bulk(list(ids))
    if len(set(ids)) < len(ids) or taken or len(found) < len(ids):
        raise NotFound
    files = [found[pk] for pk in ids]
    for file in files:
        if file.state != State.READY:
            raise BadInput(_("“%(name)s” is not ready to be sent.") % {"name": file.name})
    return files


def has_new_image(files: Iterable[File]) -> bool:
    """Returns whether one of the files is an image that no message has yet."""
    images = [file.pk for file in files if file.kind == Kind.IMAGE]
    return bool(images) and File.objects.unsent().filter(pk__in=images).exists()


def load_texts(files: Sequence[File]) -> None:
    texts = (
        dict(File.objects.filter(pk__in=[file.pk for file in files]).values_list("pk", "text"))
        if files
        else {}
    )
    for file in files:
        file.text = texts.get(file.pk, "")


def characters(files: Iterable[File]) -> int:
    """Returns how many characters files add to a message (`with_files`), from their rows alone."""
    return sum(len(file.name) + file.characters + FENCE_CHARACTERS for file in files)


def attach(message: Message, files: Sequence[File]) -> None:
    Attachment.objects.bulk_create(
        Attachment(message=message, file=file, position=position) for position, file in enumerate(files)
    )


def with_files(text: str, files: Iterable[File]) -> str:
    """Returns what the model reads of a message: its files, fenced, then the person's words."""
    return "\n\n".join([*(_fenced(file) for file in files), text])


def _fenced(file: File) -> str:
    """Returns the file in a fence that is longer than any run of backticks inside, so that no file can end
    it; of an image its name, as the image itself goes beside the text.
    """
    if file.kind == Kind.IMAGE:
        return f"Image: {file.name}"
    longest = max((len(row) for row in re.findall(r"`{3,}", file.text)), default=2)
    fence = "`" * (longest + 1)
    return f"File: {file.name}\n{fence}\n{file.text}\n{fence}"


def contents(messages: Sequence[Message]) -> dict[UUID, str]:
    """Returns `with_files` of many messages by id, in two queries; in one if none has a file."""
    carried = of_messages(messages, texts=True)
    return {
        message.pk: with_files(message.text, carried[message.pk]) if message.pk in carried else message.text
        for message in messages
    }


def content(message: Message) -> str:
    return contents([message])[message.pk]


def _attachments(messages: Sequence[Message]) -> Any:
    asked = [message.pk for message in messages if message.role == Role.USER]
    return Attachment.objects.filter(message__in=asked) if asked else Attachment.objects.none()


def of_messages(messages: Sequence[Message], *, texts: bool = False) -> dict[UUID, list[File]]:
    """Returns files by the message that has them; without their texts unless `texts` is set."""
    found = list(_attachments(messages).values_list("message_id", "file_id"))
    if not found:  # as for most messages: saves loading the columns of files
        return {}
    read = File.objects.all() if texts else File.objects.defer("text")
    by_pk = read.in_bulk({file for _message, file in found})
    carried: dict[UUID, list[File]] = {}
    for message, file in found:
        if file in by_pk:
            carried.setdefault(message, []).append(by_pk[file])
    return carried


def load(messages: Sequence[Message]) -> None:
    """Adds the files of each message to its JSON (message_json, conversations/serializers.py); hidden ones
    list none.
    """
    carried = of_messages(messages)
    for message in messages:
        shown = [] if message.hidden_at else carried.get(message.pk, [])
        message.extras = {**message.extras, **extras(shown)}


def extras(files: Sequence[File]) -> dict[str, Any]:
    """Returns the part of a message's JSON that lists its files."""
    return {"files": [file_json(file) for file in files]}


def file_json(file: File) -> dict[str, Any]:
    return {
        "id": str(file.pk),
        "name": file.name,
        "kind": file.kind,
        "size": file.size,
        "state": file.state,
        "words": words_for("absent_image" if _is_absent_image(file) else file.failure_reason),
        "remarks": remarks_on(file.report),
        "characters": file.characters,
        "tokens": file.tokens,
        "original": bool(file.stored),
        "image": _shape(file),
    }


def is_shown(file: File) -> bool:
    """Returns whether a file is an image whose new bytes are there; of an imported one only the name is."""
    return bool(file.kind == Kind.IMAGE and file.state == State.READY and file.stored)


def _is_absent_image(file: File) -> bool:
    """Returns whether an import brought only the name of an image."""
    return bool(file.kind == Kind.IMAGE and file.state == State.READY and not file.stored)


def _shape(file: File) -> list[int] | None:
    """Returns width and height of an image that can be shown."""
    return [file.report["width"], file.report["height"]] if is_shown(file) else None


def download_name(file: File) -> str:
    """Returns a file's name, for an image with the ending of what it was encoded as."""
    if not is_shown(file):
        return file.name
    ending = {"jpeg": "jpg", "png": "png"}[file.report["type"]]
    return f"{PurePosixPath(file.name).stem}.{ending}"


# --- Out --------------------------------------------------------------------------------------------------


def original(file: File) -> bytes:
    """Returns the bytes as they were uploaded; the text if only that is stored. Raises NotFound for an image
    without bytes.
    """
    if _is_absent_image(file):
        raise NotFound
    if not file.stored:
        return file.text.encode()
    try:
        with storage().open(file.stored, "rb") as content:
            whole: bytes = content.read()
    except FileNotFoundError:
        raise NotFound from None
    return whole


def take_back(file: File) -> None:
    """Deletes a file that is not sent yet, at its owner's request."""
    if not File.objects.unsent().filter(pk=file.pk).delete()[0]:
        raise BadInput(_("This file was sent. It goes with its message."))


def remove_unattached(pk: UUID) -> None:
    """Deletes a file after the last message that had it."""
    File.objects.unsent().filter(pk=pk).delete()


def remove_bytes(stored: str) -> None:
    try:
        storage().delete(stored)
    except OSError as error:
        logger.warning("stored file %s waits for the sweep: %s", stored, error)


def sweep() -> None:
    """Repeats lost reading tasks and deletes files that were never sent."""
    now = timezone.now()
    File.objects.unsent().filter(created_at__lt=now - UNSENT_FOR).delete()
    reading_now = File.objects.filter(state=State.READING)
    reading_now.filter(created_at__lt=now - GIVEN_UP_AFTER).update(
        state=State.FAILED, failure_reason="too_slow"
    )
    for pk in reading_now.filter(created_at__lt=now - READ_AGAIN_AFTER).values_list("pk", flat=True):
        ask_to_read(pk)


def sweep_storage() -> None:
    """Deletes bytes without a row. An upload writes them a moment before it; younger ones are left alone."""
    stored_files = storage()
    with suppress(FileNotFoundError):
        for folder in stored_files.listdir("")[0]:
            names = {f"{folder}/{name}" for name in stored_files.listdir(folder)[1]}
            names -= set(File.objects.filter(stored__in=names).values_list("stored", flat=True))
            for name in names:
                with suppress(FileNotFoundError):
                    if stored_files.get_modified_time(name) < timezone.now() - timedelta(hours=1):
                        remove_bytes(name)
