"""Stores the audit of staff actions, as a chain in which every row seals the one before."""

from __future__ import annotations

from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class AppendOnly(models.QuerySet["StaffAction"]):
    """Rows that are written once. (Setting `actor` to null when a person is deleted bypasses this check.)"""

    def update(self, **fields: Any) -> NoReturn:
        raise TypeError("the audit is append-only")

    def delete(self) -> NoReturn:
        raise TypeError("the audit is append-only")


class StaffAction(models.Model):
    """One action or reading by a member of staff. Append-only: only chat/core/audit.py writes it."""

    at = models.DateTimeField(_("time"), db_default=Now())
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("member of staff"),
    )
    actor_email = models.CharField(_("e-mail then"), max_length=254)
    verb = models.CharField(_("action"), max_length=64)
    target = models.CharField(_("on"), max_length=200)
    detail = models.JSONField(_("detail"), default=dict)
    previous = models.CharField(
        max_length=64, unique=True
    )  # seal of the row before; unique: the chain cannot fork
    seal = models.CharField(max_length=64, unique=True)  # SHA-256 over previous and this row's fields

    objects = AppendOnly.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("staff action")
        verbose_name_plural = _("staff actions")

    def __str__(self) -> str:
        return f"{self.actor_email} {self.verb} {self.target}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("the audit is append-only")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("the audit is append-only")
