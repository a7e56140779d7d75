"""Admin pages of the site's personas. Those of users are private and not shown."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat.core.admin import AuditedAdmin
from chat.core.errors import BadInput, ChatError
from chat.personas.models import PERSONA_CHARS, Persona
from chat.personas.services import clean_name, clean_text


class SitePersonaForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    language = forms.ChoiceField(
        label=_("Language"), choices=lambda: [("", _("every language")), *settings.LANGUAGES], required=False
    )

    class Meta:
        model = Persona
        fields = ("name", "language", "prompt", "default_of")

    def clean(self) -> dict[str, Any]:
        """Checks the texts as a user's: a forbidden one would refuse every message of those who chose it."""
        data = super().clean() or self.cleaned_data
        for field, clean in (("name", clean_name), ("prompt", _clean_prompt)):
            if field in data:
                try:
                    data[field] = clean("site_persona", data[field])
                except ChatError as error:
                    self.add_error(field, error.words)
        self._check_defaults(data)
        return data

    def _check_defaults(self, data: dict[str, Any]) -> None:
        """Refuses a second default of a model in one language."""
        others = Persona.objects.filter(owner=None, language=data.get("language", "")).exclude(
            pk=self.instance.pk
        )
        for card in data.get("default_of") or ():
            if other := others.filter(default_of=card).first():
                words = gettext("%(model)s has the default persona “%(persona)s” in this language.")
                self.add_error("default_of", words % {"model": card.shown_name, "persona": other.name})


def _clean_prompt(entry_point: str, text: str) -> str:
    text = clean_text(entry_point, text, PERSONA_CHARS)
    if not text:
        raise BadInput(gettext("Please write what the model should be told."))
    return text


@admin.register(Persona)
class PersonaAdmin(AuditedAdmin):
    form = SitePersonaForm
    audited_fields = ("language", "prompt")
    list_display = ("name", "language", "created_at")
    list_filter = ("language",)
    filter_horizontal = ("default_of",)

    def audited_name(self, obj: Any) -> dict[str, Any]:
        slugs = list(obj.default_of.order_by("slug").values_list("slug", flat=True))
        return {**super().audited_name(obj), "default_of": slugs}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(owner=None)
