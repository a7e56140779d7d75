"""Feedback of users on answers: a rating, a reason, and a note to staff."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from chat.conversations.models import Message
from chat.model_cards.models import ModelCard


class Feedback(models.Model):
    """A user's rating of an answer, at most one per message. It copies no text of the conversation."""

    class Value(models.IntegerChoices):
        GOOD = 1, _("good")
        POOR = -1, _("poor")

    class Reason(models.TextChoices):
        CORRECT = "correct", _("correct")
        CLEAR = "clear", _("clear and well put")
        WRONG = "wrong", _("not correct")
        INCOMPLETE = "incomplete", _("not complete")
        OFF_TOPIC = "off_topic", _("not what was asked")
        TONE = "tone", _("tone or style")
        OTHER = "other", _("something else")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user")
    )
    message = models.ForeignKey(Message, models.CASCADE, related_name="feedback", verbose_name=_("message"))
    # The model at that time: a conversation may go on with another.
    model = models.ForeignKey(ModelCard, models.PROTECT, related_name="+", verbose_name=_("model"))
    value = models.SmallIntegerField(_("rating"), choices=Value.choices)
    reason = models.CharField(_("reason"), max_length=16, choices=Reason.choices, blank=True)
    note = models.TextField(_("note"), blank=True, max_length=2000)
    created_at = models.DateTimeField(_("created"), db_default=Now())

    class Meta:
        verbose_name = _("feedback on an answer")
        verbose_name_plural = _("feedback on answers")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["user", "message"], name="one_feedback_per_user_and_message")
        ]

    def __str__(self) -> str:
        return f"{self.get_value_display()} {self.pk}"
