"""Stores what staff decided about tools."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ToolSettings(models.Model):
    """Options of one tool, and where staff want it handled otherwise than it says itself.

    The tool is named, not referred to: its package may be uninstalled and come back.
    """

    class Approval(models.TextChoices):
        AS_DECLARED = "", _("as the tool says")
        ALWAYS = "always", _("always")
        NEVER = "never", _("never")

    name = models.CharField(_("name"), max_length=64, unique=True)
    approval = models.CharField(
        _("ask the person before each call"),
        max_length=8,
        choices=Approval.choices,
        default=Approval.AS_DECLARED,
        blank=True,
    )
    is_changing = models.BooleanField(
        _("treat as a tool that changes something"),
        default=False,
        help_text=_(
            "A call whose process died is then never run again, even if the tool says it only reads."
        ),
    )
    options = models.JSONField(_("options"), default=dict, blank=True)

    class Meta:
        verbose_name = _("tool")
        verbose_name_plural = _("tools")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
