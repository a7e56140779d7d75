"""The table of models that people can talk to."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from chat.accounts.models import User


class ModelCardQuerySet(models.QuerySet["ModelCard"]):
    def known_to(self, user: User | None) -> ModelCardQuerySet:
        """Returns the models, also retired ones, that a person may know of; staff know all.

        None stands for everybody: models that no group has for itself.
        """
        if user is not None and user.is_staff:
            return self
        allowed = ModelCard.groups.through.objects.filter(modelcard=OuterRef("pk"))
        members = allowed.filter(group__user=user) if user is not None else allowed.none()
        return self.filter(Q(is_limited=False) | Q(Exists(members)), is_hidden=False)


class ModelCard(models.Model):
    """A model that people can talk to. Its workers announce its name, context and usual settings."""

    slug = models.SlugField(_("slug"), primary_key=True, max_length=64)
    name = models.CharField(_("name"), max_length=120)
    about = models.TextField(_("about"), blank=True)
    context_tokens = models.PositiveIntegerField(_("context in tokens"), default=1024)
    # Fields of `inference.contract.Sampling` that apply where a conversation sets none.
    sampling = models.JSONField(_("its own settings of answers"), default=dict, blank=True)
    # What its workers can do: `inference.contract.Capabilities`, through `capabilities_of`.
    capabilities = models.JSONField(_("capabilities"), default=dict, blank=True)
    is_demo = models.BooleanField(_("demo model"), default=False)
    is_default = models.BooleanField(
        _("default"),
        default=False,
        help_text=_(
            "New chats get this model, whatever workers announce. "
            "Without a default they get the configured model, or one that runs."
        ),
    )
    is_hidden = models.BooleanField(
        _("hidden"),
        default=False,
        help_text=_("Only staff can choose it. Chats that use it keep it."),
    )
    is_retired = models.BooleanField(
        _("retired"),
        default=False,
        help_text=_("It answers no new questions. Its chats say which model can continue."),
    )
    successor = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("successor"),
        help_text=_("The model that can continue the chats of a retired one. Empty: the model of new chats."),
    )
    is_limited = models.BooleanField(
        _("only for groups"),
        default=False,
        help_text=_("Only members of these groups can use it. Without a group, only staff can."),
    )
    groups = models.ManyToManyField("auth.Group", blank=True, related_name="+", verbose_name=_("groups"))
    price = models.DecimalField(
        _("price weight"),
        max_digits=6,
        decimal_places=2,
        default=Decimal(1),
        validators=[MinValueValidator(0), MaxValueValidator(1000)],
        help_text=_("A token of this model counts this many times in quotas. 0: it is free."),
    )
    last_seen_at = models.DateTimeField(_("last seen"), null=True, blank=True)  # written once a minute
    seen_since = models.DateTimeField(_("seen since"), null=True, blank=True)  # without a gap of 10 minutes

    objects = ModelCardQuerySet.as_manager()

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PreferredModel(models.Model):
    """The model that a person chose for their new chats. Without a row, the site's choice applies."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="preferred_model"
    )
    model = models.ForeignKey(ModelCard, models.CASCADE, related_name="+")

    class Meta:
        verbose_name = _("preferred model")
        verbose_name_plural = _("preferred models")

    def __str__(self) -> str:
        return str(self.pk)
