"""Accounts whose deletion was requested and has not ended: their rows are removed in small batches."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class DeletionJob(models.Model):
    """A requested deletion of an account. The row is deleted with the account, at the very end."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="deletion_job")
    requested_at = models.DateTimeField(_("requested"), db_default=Now())

    class Meta:
        verbose_name = _("account deletion")
        verbose_name_plural = _("account deletions")

    def __str__(self) -> str:
        return str(self.user_id)
