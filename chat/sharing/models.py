"""The table of shared links, each with a copy of the conversation as it was when its owner made the link."""

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
        _("who may open it"), max_length=64, default="anyone"
    )  # a name in chat/sharing/policies/
    options = models.JSONField(_("options"), default=dict, blank=True)  # of the policy, which validates them
    with_thoughts = models.BooleanField(_("with thoughts"), default=False, db_default=False)
    with_images = models.BooleanField(_("with images"), default=False, db_default=False)
    page_count = models.PositiveIntegerField(_("pages"), default=0)  # rows of SharePage
    created_at = models.DateTimeField(_("created"), db_default=Now())
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("turned off"), null=True, blank=True)  # by its owner
    taken_down_at = models.DateTimeField(_("taken down"), null=True, blank=True)  # by staff

    class Meta:
        verbose_name = _("shared link")
        verbose_name_plural = _("shared links")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return str(self.pk)  # this is shown in lists, and a title is private again once the link is closed

    def get_absolute_url(self) -> str:
        return reverse("shared", args=[self.token])

    @property
    def is_open(self) -> bool:
        if self.revoked_at or self.taken_down_at:
            return False
        return self.expires_at is None or self.expires_at > timezone.now()


class SharePage(models.Model):
    """A part of the copy, as large as a reader gets at once (chat/sharing/paging.py)."""

    share = models.ForeignKey(Share, models.CASCADE, related_name="pages")
    number = models.PositiveIntegerField(_("number"))  # from 1
    # [{"id": message uuid, "role": "user"|"assistant", "text": str, …}], oldest first; "images" are
    # [{"id": file uuid, "name": str}]: of images the copy has no bytes, so they go with their message
    messages = models.JSONField(_("messages"))
    message_ids = models.JSONField(_("message ids"))  # ids of these messages, to find a page without its text

    class Meta:
        verbose_name = _("page of a shared link")
        verbose_name_plural = _("pages of shared links")
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["share", "number"], name="one_share_page_a_number")]

    def __str__(self) -> str:
        return f"page {self.number} of {self.share_id}"


class TakeDown(models.Model):
    """Forbids new links to a conversation whose shared page staff took down, until staff lift it.

    The digests (chat/sharing/takedowns.py) recognise the messages where their ids differ, as after an export
    and an import, and the images that the page showed; they outlive the conversation, and go when this is
    lifted, or with its owner.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("owner")
    )
    conversation = models.ForeignKey(
        Conversation, models.SET_NULL, null=True, related_name="+", verbose_name=_("conversation")
    )
    share = models.ForeignKey(
        Share, models.SET_NULL, null=True, related_name="+", verbose_name=_("shared link")
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)  # shown to the owner
    message_digests = models.JSONField(_("message digests"), default=dict)  # digest -> whether it is long
    image_digests = models.JSONField(_("image digests"), default=list, blank=True)
    taken_down_at = models.DateTimeField(_("taken down"), db_default=Now())
    lifted_at = models.DateTimeField(_("lifted"), null=True, blank=True)

    class Meta:
        verbose_name = _("take-down")
        verbose_name_plural = _("take-downs")
        ordering = ["-taken_down_at"]

    def __str__(self) -> str:
        return str(self.pk)
