"""Stores how much each person may use. A day is a UTC day; tokens of prompt and answer both count."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class QuotaPolicy(models.Model):
    """Limits what a person, each member of a group, or everybody may use, and sets their share of the queue.

    A person's own policy beats the groups' (the largest of them), which beats everybody's, which beats the
    settings.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="quota_policy",
        verbose_name=_("user"),
    )
    group = models.OneToOneField(
        "auth.Group",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="quota_policy",
        verbose_name=_("group"),
    )
    tokens_per_day = models.PositiveBigIntegerField(_("tokens a day"), help_text=_("0 blocks all replies."))
    weight = models.FloatField(
        _("weight in the queue"), default=1.0, help_text=_("2 is served twice as much as 1 when many wait.")
    )
    running_limit = models.PositiveSmallIntegerField(
        _("replies at once"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("How many replies of one person run at once. Empty: GROKWEB_USER_RUNNING_LIMIT."),
    )

    class Meta:
        verbose_name = _("quota policy")
        verbose_name_plural = _("quota policies")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(user=None) | models.Q(group=None),
                name="policy_for_one",
                violation_error_message=_("A policy is for a person or for a group, not for both."),
            ),
            models.CheckConstraint(
                condition=models.Q(weight__gt=0),
                name="policy_weight_positive",
                violation_error_message=_("The weight must be above 0."),
            ),
            models.CheckConstraint(
                condition=models.Q(running_limit=None) | models.Q(running_limit__gt=0),
                name="policy_running_limit_positive",
                violation_error_message=_(
                    "At least one reply must be able to run; a quota of 0 tokens blocks."
                ),
            ),
            models.UniqueConstraint(
                models.Value(1),
                condition=models.Q(user=None, group=None),
                name="one_policy_for_everybody",
                violation_error_message=_("There is a policy for everybody already."),
            ),
        ]

    def __str__(self) -> str:
        who = self.user or self.group or _("everybody")
        return f"{who}: {self.tokens_per_day}"


class UsageCounter(models.Model):
    """Counts a person's day: tokens used, and tokens reserved by replies that still run."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="usage_counters")
    day = models.DateField(_("day"))
    used = models.PositiveBigIntegerField(_("used"), default=0)
    estimated = models.PositiveBigIntegerField(_("of these estimated"), default=0)
    reserved = models.PositiveBigIntegerField(_("reserved"), default=0)

    class Meta:
        verbose_name = _("use of a day")
        verbose_name_plural = _("use by day")
        constraints = [models.UniqueConstraint(fields=["user", "day"], name="one_counter_a_day")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.day}: {self.used}"


class UsageEntry(models.Model):
    """Stores a reply's reservation and, once settled, its tokens (0 if it failed), also when the conversation
    is deleted.

    The counter is charged with tokens × price, rounded up.
    """

    generation = models.UUIDField(_("generation"), primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="usage_entries")
    day = models.DateField(_("day"))
    model = models.CharField(_("model"), max_length=64)
    # Of the model when the reply was asked for: prices may change while it is written.
    price = models.DecimalField(_("price weight"), max_digits=6, decimal_places=2, default=Decimal(1))
    reserved = models.PositiveBigIntegerField(_("reserved"))
    prompt_tokens = models.PositiveIntegerField(_("prompt tokens"), default=0)
    completion_tokens = models.PositiveIntegerField(_("completion tokens"), default=0)
    is_estimated = models.BooleanField(_("tokens are estimates"), default=False)
    created_at = models.DateTimeField(_("created"), db_default=Now())
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)

    class Meta:
        verbose_name = _("usage entry")
        verbose_name_plural = _("usage entries")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return str(self.generation)
