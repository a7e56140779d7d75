"""The site's own personas. What people make for themselves is theirs and is not here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from chat.core.admin import AuditedAdmin
from chat.voice.models import Persona


class SitePersonaForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    language = forms.ChoiceField(
        label=_("Language"), choices=[("", _("every language")), *settings.LANGUAGES], required=False
    )

    class Meta:
        model = Persona
        fields = ("name", "language", "prompt")


@admin.register(Persona)
class PersonaAdmin(AuditedAdmin):
    form = SitePersonaForm
    audited_fields = ("language", "prompt")
    list_display = ("name", "language", "created_at")
    list_filter = ("language",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(owner=None)
