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
        fields = ("name", "language", "prompt")

    def clean(self) -> dict[str, Any]:
        """Checks the texts as a user's: a forbidden one would refuse every message of those who chose it."""
        data = super().clean() or self.cleaned_data
        for field, clean in (("name", clean_name), ("prompt", _clean_prompt)):
            if field in data:
                try:
                    data[field] = clean("site_persona", data[field])
                except ChatError as error:
                    self.add_error(field, error.words)
        return data


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

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(owner=None)
