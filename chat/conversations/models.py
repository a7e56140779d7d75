"""The tables of conversations, their message trees and their folders. Ids in addresses are random."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from chat.model_cards.models import ModelCard

if TYPE_CHECKING:
    from chat.accounts.models import User


class ConversationQuerySet(models.QuerySet["Conversation"]):
    """Filters conversations by who asks."""

    def visible_to(self, user: User) -> ConversationQuerySet:
        """Returns those a person may open: their own that are not deleted. Anonymous people see none."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(owner=user, deleted_at=None)

    def listed_for(self, user: User) -> ConversationQuerySet:
        """Returns those of them that lists and exports contain: all but temporary ones."""
        return self.visible_to(user).filter(temporary=False)


class Folder(models.Model):
    """A folder groups conversations of a person. Deleting it keeps them."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="folders")
    name = models.CharField(_("name"), max_length=60)
    created_at = models.DateTimeField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("folder")
        verbose_name_plural = _("folders")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Conversation(models.Model):
    """A conversation belongs to one person, answers with one model and has a tree of messages."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="conversations", verbose_name=_("owner")
    )
    title = models.CharField(_("title"), max_length=120, blank=True)
    model = models.ForeignKey(ModelCard, models.PROTECT, related_name="+", verbose_name=_("model"))
    pinned = models.BooleanField(_("pinned"), default=False)
    archived = models.BooleanField(_("archived"), default=False)
    folder = models.ForeignKey(
        Folder, models.SET_NULL, null=True, blank=True, related_name="conversations", verbose_name=_("folder")
    )
    temporary = models.BooleanField(_("temporary"), default=False)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    updated_at = models.DateTimeField(_("last message"), db_default=Now())
    deleted_at = models.DateTimeField(
        _("deleted"), null=True, blank=True
    )  # removed by chat/conversations/purge.py

    objects = ConversationQuerySet.as_manager()

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        ordering = ["-updated_at"]
        indexes = [
            models.Index(
                fields=["owner", "deleted_at", "archived", "pinned", "folder", "-updated_at"],
                name="conversation_places",
            ),
            models.Index(fields=["updated_at"], condition=Q(temporary=True), name="conversation_temporary"),
        ]

    def __str__(self) -> str:
        return self.title or str(self.pk)

    def get_absolute_url(self) -> str:
        return reverse("conversation", args=[self.pk])


class Role(models.TextChoices):
    """Lists who can have written a message."""

    USER = "user", _("user")
    ASSISTANT = "assistant", _("assistant")
    SYSTEM = "system", _("system")


class MessageStatus(models.TextChoices):
    """Lists the states of a message: `live` until its settlement, then a value of Generation.Status."""

    LIVE = "live", _("being written")
    COMPLETE = "complete", _("complete")
    STOPPED = "stopped", _("stopped")
    FAILED = "failed", _("failed")
    REFUSED = "refused", _("refused")


class Message(models.Model):
    """A message is a node of a conversation's tree. An edit or a second answer is a sibling."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="messages")
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    text = models.TextField(_("text"), blank=True)
    status = models.CharField(
        _("status"), max_length=10, choices=MessageStatus.choices, default=MessageStatus.COMPLETE
    )
    created_at = models.DateTimeField(_("created"), db_default=Now())
    hidden_at = models.DateTimeField(
        _("hidden"), null=True, blank=True
    )  # by moderation; the text stays for appeal
    pinned = models.BooleanField(_("pinned"), default=False, db_default=False)  # prompts always have it
    # Empty: written by the model here, or a question. Else what an answer was imported from or begins with,
    # or that a person edited it (chat/conversations/origins.py).
    source = models.CharField(_("imported from"), max_length=40, blank=True, default="")
    source_model = models.CharField(_("model named there"), max_length=80, blank=True, default="")

    # Both are set by serializers.load_siblings: the ids of the message and its siblings, oldest first, and
    # the fields that apps on the right add to its JSON.
    siblings: list[uuid.UUID] | None = None
    extras: dict[str, Any] = {}

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["created_at"]
        indexes = [
            models.Index(fields=["-created_at"], name="message_newest")
        ]  # moderation tries a new rule on the newest

    def __str__(self) -> str:
        return f"{self.role} {self.pk}"


class Leaf(models.Model):
    """Stores which branch of a conversation a person had open last, by its end."""

    viewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="leaves")
    message = models.ForeignKey(Message, models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["viewer", "conversation"], name="one_leaf_a_viewer")]

    def __str__(self) -> str:
        return f"{self.viewer_id} at {self.message_id}"
