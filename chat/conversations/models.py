"""Conversations and their message trees. Ids in addresses are random."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from chat.accounts.models import User


class ModelCard(models.Model):
    """A model that people can talk to. Kept up to date from what its workers announce."""

    slug = models.SlugField(_("slug"), primary_key=True, max_length=64)
    name = models.CharField(_("name"), max_length=120)
    about = models.TextField(_("about"), blank=True)
    context_tokens = models.PositiveIntegerField(_("context in tokens"), default=1024)
    is_demo = models.BooleanField(_("demo model"), default=False)
    is_default = models.BooleanField(
        _("default"),
        default=False,
        help_text=_(
            "New chats get this model, whatever workers announce. "
            "Without a default they get the configured model, or one that runs."
        ),
    )
    is_hidden = models.BooleanField(
        _("hidden"),
        default=False,
        help_text=_("Only staff can choose it. Chats that have it go on with it."),
    )
    is_retired = models.BooleanField(
        _("retired"),
        default=False,
        help_text=_("Nobody can ask it any more. Its chats say which model can continue."),
    )
    successor = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("successor"),
        help_text=_("Which model can continue the chats of a retired one. Empty: the model of new chats."),
    )
    last_seen_at = models.DateTimeField(_("last seen"), null=True, blank=True)  # written once a minute
    seen_since = models.DateTimeField(_("seen since"), null=True, blank=True)  # without a gap of 10 minutes

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def visible_to(self, user: User) -> ConversationQuerySet:
        """Those a person may open: their own that are not deleted. Anonymous people see none."""
        if not user.is_authenticated:
            return self.none()
        return self.filter(owner=user, deleted_at=None)

    def listed_for(self, user: User) -> ConversationQuerySet:
        """Those of them that stand in lists and go out with an export: temporary ones are only opened."""
        return self.visible_to(user).filter(temporary=False)


class Folder(models.Model):
    """Where a person keeps conversations together. Its end leaves them."""

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
    )  # purged by chat/conversations/tasks.py

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
    USER = "user", _("user")
    ASSISTANT = "assistant", _("assistant")
    SYSTEM = "system", _("system")


class MessageStatus(models.TextChoices):
    """`live` until the one settlement; the other values are those of Generation.Status."""

    LIVE = "live", _("being written")
    COMPLETE = "complete", _("complete")
    STOPPED = "stopped", _("stopped")
    FAILED = "failed", _("failed")
    REFUSED = "refused", _("refused")


class Message(models.Model):
    """One node of a conversation's tree. An edit or a second answer is a sibling."""

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
    # Empty: written here. Else what it was imported from, or begins with (chat/conversations/origins.py).
    source = models.CharField(_("imported from"), max_length=40, blank=True, default="")
    source_model = models.CharField(_("model named there"), max_length=80, blank=True, default="")

    siblings: list[uuid.UUID] | None = (
        None  # set by services.load_siblings: itself and those beside it, oldest first
    )
    extras: dict[str, Any] = {}  # set with them: what apps to the right tell of it

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["created_at"]
        indexes = [models.Index(fields=["-created_at"], name="message_newest")]  # what a new rule is tried on

    def __str__(self) -> str:
        return f"{self.role} {self.pk}"


class Leaf(models.Model):
    """Which branch a viewer last had open."""

    viewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="leaves")
    message = models.ForeignKey(Message, models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["viewer", "conversation"], name="one_leaf_a_viewer")]

    def __str__(self) -> str:
        return f"{self.viewer_id} at {self.message_id}"
