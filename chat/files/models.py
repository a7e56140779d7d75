"""Stores files that people attach to messages. A file waits unsent, then belongs to messages."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from chat.conversations.models import Conversation, Message

if TYPE_CHECKING:
    from chat.accounts.models import User


class Kind(models.TextChoices):
    """The kind of a file is decided by its content, never by its name (kinds.py)."""

    TEXT = "text", _("text")
    PDF = "pdf", "PDF"
    IMAGE = "image", _("image")


class State(models.TextChoices):
    READING = "reading", _("being read")
    READY = "ready", _("ready")
    FAILED = "failed", _("could not be read")


class FileQuerySet(models.QuerySet["File"]):
    def visible_to(self, user: User) -> FileQuerySet:
        """Returns the user's own unsent files, and files of messages that they may open and that are not
        hidden.
        """
        if not user.is_authenticated:
            return self.none()
        open_to = Message.objects.filter(
            conversation__in=Conversation.objects.visible_to(user), hidden_at=None
        )
        carried = Attachment.objects.filter(message__in=open_to).values("file")
        # No join: a file of several messages would come several times.
        sent = Attachment.objects.filter(file=models.OuterRef("pk"))
        return self.filter(models.Q(pk__in=carried) | ~models.Exists(sent), owner=user)

    def unsent(self) -> FileQuerySet:
        return self.filter(attachments=None)


class File(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="files", verbose_name=_("owner")
    )
    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    size = models.PositiveIntegerField(_("size in bytes"))
    sha256 = models.CharField(max_length=64)
    # Of an image, the digest of the bytes that came in, by which same_images.py recognises it.
    uploaded_sha256 = models.CharField(max_length=64, blank=True, default="", db_default="")
    # In the storage "files"; empty where only the text came in (an import). Of an image that was read, it is
    # the new encoding: the bytes that came in, with all that was beside the pixels, are deleted.
    stored = models.CharField(max_length=100, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.READING)
    failure_reason = models.CharField(max_length=16, blank=True)  # a key of words.py
    # Further results for words.py: for a text "encoding" (decoding.py), "guessed" or "chosen", and "flaws",
    # the number of invalid places; for a PDF "pages", and which of them are "empty" or "unreadable"; for an
    # image "width", "height", "type" ("jpeg" or "png") and, if it was animated, "frames".
    report = models.JSONField(default=dict, blank=True)
    text = models.TextField(_("text"), blank=True)
    characters = models.PositiveIntegerField(default=0)
    tokens = models.PositiveIntegerField(_("tokens, estimated"), default=0)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    # Whether staff hid this image, also in messages that are not hidden (hiding.py).
    is_hidden = models.BooleanField(default=False, db_default=False)

    objects = FileQuerySet.as_manager()

    class Meta:
        verbose_name = _("file")
        verbose_name_plural = _("files")
        ordering = ["created_at"]
        indexes = [
            models.Index(
                fields=["created_at"], condition=models.Q(state=State.READING), name="file_being_read"
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)  # names are private, and this is written to logs


class HiddenImage(models.Model):
    """Keeps an image from a conversation in which staff hid it with a message, which may be deleted since."""

    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="hidden_images")
    hidden_with = models.UUIDField(db_index=True)  # the message
    digest = models.CharField(max_length=64)  # one of those by which same_images.py recognises the image

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "digest", "hidden_with"], name="image_hidden_once_with_a_message"
            )
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Attachment(models.Model):
    """A file in a message. The versions of an edited message carry the same file."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="attachments")
    file = models.ForeignKey(File, models.CASCADE, related_name="attachments")
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["message", "file"], name="attached_once")]

    def __str__(self) -> str:
        return f"{self.file_id} in {self.message_id}"
