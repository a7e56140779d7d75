"""The table of browsers that asked for a notification when an answer is ready."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

ENDPOINT_CHARS = 1024  # those of the large push services have at most about 600


class PushDevice(models.Model):
    """Holds how to reach one browser of one person, as long as its session lasts. Messages are encrypted
    with its keys."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="push_devices", verbose_name=_("user")
    )
    # No foreign key: sessions are deleted in bulk. chat/push/services.py removes rows whose session ended.
    session_key = models.CharField(max_length=40, unique=True, editable=False)
    endpoint = models.CharField(
        max_length=ENDPOINT_CHARS, editable=False
    )  # an address of the browser's maker
    p256dh = models.CharField(max_length=87, editable=False)  # public key of the browser, base64url
    auth = models.CharField(max_length=22, editable=False)  # shared secret, base64url
    language = models.CharField(max_length=16, blank=True, editable=False)  # of the page that asked
    failures = models.PositiveSmallIntegerField(default=0, editable=False)  # in a row
    created_at = models.DateTimeField(_("since"), db_default=Now())

    class Meta:
        verbose_name = _("browser with notifications")
        verbose_name_plural = _("browsers with notifications")

    def __str__(self) -> str:
        return str(self.pk)
