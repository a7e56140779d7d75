"""A conversation as it stood when its owner made a link to it."""

from __future__ import annotations

import secrets
import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chat.conversations.models import Conversation


def new_token() -> str:
    return secrets.token_urlsafe(24)


class Share(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    token = models.CharField(_("token"), max_length=64, unique=True, default=new_token, editable=False)
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="shares", verbose_name=_("conversation")
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="shares", verbose_name=_("owner")
    )
    title = models.CharField(_("title"), max_length=120, blank=True)
    policy = models.CharField(
        _("who may open it"), max_length=16, default="anyone"
    )  # a key of chat/sharing/policies/
    # [{"id": message uuid, "role": "user"|"assistant", "text": str}], oldest first
    snapshot = models.JSONField(_("snapshot"), default=list)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("turned off"), null=True, blank=True)  # by its owner
    taken_down_at = models.DateTimeField(_("taken down"), null=True, blank=True)  # by staff

    class Meta:
        verbose_name = _("shared link")
        verbose_name_plural = _("shared links")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.title or str(self.pk)

    def get_absolute_url(self) -> str:
        return reverse("shared", args=[self.token])

    @property
    def is_open(self) -> bool:
        if self.revoked_at or self.taken_down_at:
            return False
        return self.expires_at is None or self.expires_at > timezone.now()
