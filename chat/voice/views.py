"""The settings page "Answers": instructions to the model, personas, prompts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from chat.accounts.models import User
from chat.core import limits
from chat.core.errors import ChatError
from chat.voice import services
from chat.voice.access import own_persona_for, own_prompt_for, personas_offered
from chat.voice.forms import InstructionsForm, PersonaForm, PromptForm
from chat.voice.models import Persona, Prompt

SAVES_AN_HOUR = 200


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    kept = services.instructions_of(user)
    known = {"about": kept.about, "manner": kept.manner, "active": kept.active}
    form = InstructionsForm(request.POST or None, initial=known)
    if request.method == "POST" and _saved(
        request, form, lambda: services.save_instructions(user=user, **form.cleaned_data)
    ):
        return redirect("voice")
    context = {"form": form, "personas": personas_offered(user), "prompts": user.prompts.all()}
    return render(request, "voice/page.html", context, status=400 if form.errors else 200)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def persona(request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
    """A new one, or one of one's own."""
    user = cast(User, request.user)
    kept = own_persona_for(user, pk) if pk else None
    form = PersonaForm(request.POST or None, initial=model_to_dict(kept) if kept else {})
    if request.method == "POST" and _saved(
        request, form, lambda: services.save_persona(owner=user, persona=kept, **form.cleaned_data)
    ):
        return redirect("voice")
    words = {
        "new": _("New persona"),
        "delete": _("Delete this persona"),
        "after": _("Conversations that have it go on without one. Answers that are there stay as they are."),
    }
    return _entry(request, form, kept, words, "delete_persona")


@login_required
@require_POST
def delete_persona(request: HttpRequest, pk: UUID) -> HttpResponse:
    own_persona_for(cast(User, request.user), pk).delete()
    messages.success(request, _("The persona is deleted."))
    return redirect("voice")


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def prompt(request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
    """A new one, or one that is kept."""
    user = cast(User, request.user)
    kept = own_prompt_for(user, pk) if pk else None
    form = PromptForm(request.POST or None, initial=model_to_dict(kept) if kept else {})
    if request.method == "POST" and _saved(
        request, form, lambda: services.save_prompt(owner=user, prompt=kept, **form.cleaned_data)
    ):
        return redirect("voice")
    words = {
        "new": _("New prompt"),
        "delete": _("Delete this prompt"),
        "after": _("Messages that were written with it stay as they are."),
    }
    return _entry(request, form, kept, words, "delete_prompt")


@login_required
@require_POST
def delete_prompt(request: HttpRequest, pk: UUID) -> HttpResponse:
    own_prompt_for(cast(User, request.user), pk).delete()
    messages.success(request, _("The prompt is deleted."))
    return redirect("voice")


def _entry(
    request: HttpRequest, form: forms.Form, kept: Persona | Prompt | None, words: dict[str, str], delete: str
) -> HttpResponse:
    context = {
        "form": form,
        "kept": kept,
        "words": words,
        "delete": reverse(delete, args=[kept.pk]) if kept else "",
    }
    return render(request, "voice/entry.html", context, status=400 if form.errors else 200)


def _saved(request: HttpRequest, form: forms.Form, save: Callable[[], Any]) -> bool:
    """Whether it was; if not, the form says why."""
    if not form.is_valid():
        return False
    try:
        limits.take("voice", str(request.user.pk), SAVES_AN_HOUR, 3600)
        save()
    except ChatError as error:
        form.add_error(None, error.words)
        return False
    messages.success(request, _("Saved."))
    return True
