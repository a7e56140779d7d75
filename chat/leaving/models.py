"""Who asked to be deleted and is not gone yet: what they wrote is taken apart in small pieces."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Departure(models.Model):
    """Goes with its person, at the very end."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="departure")
    asked_at = models.DateTimeField(_("time"), db_default=Now())

    class Meta:
        verbose_name = _("departure")
        verbose_name_plural = _("departures")

    def __str__(self) -> str:
        return str(self.user_id)
