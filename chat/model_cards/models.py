"""The table of models that people can talk to."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from chat.model_cards.bounds import SAMPLING_NAMES

if TYPE_CHECKING:
    from chat.accounts.models import User


LEAST_CONTEXT = 256  # tokens, as `context` in models.toml


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
    """A model that people can talk to. Its workers announce its name, context and usual settings; pages show
    what staff wrote and set instead, where they did."""

    slug = models.SlugField(_("slug"), primary_key=True, max_length=64)
    name = models.CharField(_("name"), max_length=120)
    about = models.TextField(_("about"), blank=True)
    context_tokens = models.PositiveIntegerField(_("context in tokens"), default=1024)
    # Fields of `inference.contract.Sampling` that apply where a conversation sets none.
    sampling = models.JSONField(_("its own settings of answers"), default=dict, blank=True)
    # What its workers can do: `inference.contract.Capabilities`, through `capabilities_of`.
    capabilities = models.JSONField(_("capabilities"), default=dict, blank=True)
    # Announced: {"name", "link"} of the licence of a model that was fetched by name, {} of others.
    licence = models.JSONField(_("licence"), default=dict, blank=True)
    # Staff's own words: {language: {"name", "about"}}, of settings.LANGUAGES, either may be missing.
    texts = models.JSONField(_("names and descriptions"), default=dict, blank=True)
    # Staff's defaults of answers: some of the names in bounds.py, where people and conversations set none.
    defaults = models.JSONField(_("defaults of answers"), default=dict, blank=True)
    context_limit = models.PositiveIntegerField(
        _("context limit in tokens"),
        null=True,
        blank=True,
        validators=[MinValueValidator(LEAST_CONTEXT)],
        help_text=_("Prompt and answer together have at most so many tokens. Empty: as many as it reads."),
    )
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
    # Reconcile sets it when the announcement of the model has ended, until a worker announces it again.
    is_withdrawn = models.BooleanField(
        _("withdrawn"),
        default=False,
        db_default=False,  # for workers that were started before the column was made
        help_text=_(
            "Its table in models.toml was removed, or nobody ran it for two days: no menu offers it."
        ),
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
        return self.shown_name

    @property
    def shown_name(self) -> str:
        """Returns the name in the reader's language."""
        return self._text("name") or self.name

    @property
    def shown_about(self) -> str:
        """Returns the description in the reader's language."""
        return self._text("about") or self.about

    def _text(self, field: str) -> str:
        """Returns staff's words in the reader's language, else in the site's, else in the first that has
        some; "" if there are none."""
        language = get_language() or ""
        order = (language, language.partition("-")[0], settings.LANGUAGE_CODE, *dict(settings.LANGUAGES))
        found = (self.texts.get(code, {}).get(field) for code in order)
        return str(next(filter(None, found), ""))

    @property
    def context(self) -> int:
        """Returns how many tokens a prompt with its answer may have here."""
        return min(self.context_tokens, self.context_limit or self.context_tokens)

    @property
    def usual_sampling(self) -> dict[str, int | float]:
        """Returns the fields of contract.Sampling that apply where a conversation sets none."""
        own = {name: self.defaults[name] for name in SAMPLING_NAMES if name in self.defaults}
        return {**self.sampling, **own}


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
