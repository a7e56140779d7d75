"""Rules that refuse prompts or replies, reports by readers, and what staff decided."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Rule(models.Model):
    """Holds a moderation rule. Its kind names a class in chat/moderation/rules/, which reads its options."""

    class Applies(models.TextChoices):
        PROMPT = "prompt", _("what people write")
        REPLY = "reply", _("what the model writes")
        BOTH = "both", _("both")

    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=64, default="pattern")
    options = models.JSONField(_("options"), default=dict, blank=True)
    applies = models.CharField(_("applies to"), max_length=8, choices=Applies.choices, default=Applies.PROMPT)
    words = models.CharField(
        _("words shown"),
        max_length=300,
        blank=True,
        help_text=_("What the writer reads; a plain sentence if empty."),
    )
    active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("blocking rule")
        verbose_name_plural = _("blocking rules")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Report(models.Model):
    """A reader's complaint about a message or a shared page. It keeps the text as it was."""

    class Reason(models.TextChoices):
        ILLEGAL = "illegal", _("illegal")
        HARMFUL = "harmful", _("harmful or hateful")
        PRIVATE = "private", _("private data")
        WRONG = "wrong", _("wrong or misleading")
        OTHER = "other", _("something else")

    class Status(models.TextChoices):
        OPEN = "open", _("open")
        DISMISSED = "dismissed", _("dismissed")
        HIDDEN = "hidden", _("message hidden")
        TAKEN_DOWN = "taken_down", _("share taken down")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reporter = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("reporter"),
    )
    # Plain ids and not foreign keys: a report outlives what it is about, and sharing is a later app.
    message_id = models.UUIDField(_("message"), null=True, blank=True)
    share_id = models.UUIDField(_("share"), null=True, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("owner of the conversation"),
    )
    reason = models.CharField(_("reason"), max_length=16, choices=Reason.choices)
    note = models.TextField(_("note"), blank=True, max_length=2000)
    text = models.TextField(_("text reported"), blank=True)
    # As of the message reported: empty where the model here, or a person, wrote it.
    source = models.CharField(_("imported from"), max_length=40, blank=True, default="")
    status = models.CharField(_("status"), max_length=12, choices=Status.choices, default=Status.OPEN)
    created_at = models.DateTimeField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(message_id__isnull=False) | models.Q(share_id__isnull=False),
                name="report_has_target",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()} {self.pk}"  # shown in lists, so without the text


class Decision(models.Model):
    """Records a decision of a member of staff on a report."""

    report = models.ForeignKey(Report, models.CASCADE, related_name="decisions", verbose_name=_("report"))
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("by")
    )
    action = models.CharField(_("action"), max_length=12, choices=Report.Status.choices)
    note = models.TextField(_("note"), blank=True)
    at = models.DateTimeField(_("time"), db_default=Now())

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = _("decisions")
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.get_action_display()} ({self.by})"
