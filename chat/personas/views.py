"""The settings page "Answers": custom instructions, personas, saved prompts."""

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
from chat.core import throttling
from chat.core.errors import ChatError
from chat.personas import services
from chat.personas.access import own_persona_for, own_prompt_for, personas_offered
from chat.personas.forms import CustomInstructionsForm, PersonaForm, PromptForm
from chat.personas.models import Persona, SavedPrompt

SAVES_AN_HOUR = 200


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    user = cast(User, request.user)
    saved = services.get_custom_instructions(user)
    form = CustomInstructionsForm(request.POST or None, initial=model_to_dict(saved))
    if request.method == "POST" and _save(
        request, form, lambda: services.save_custom_instructions(user=user, **form.cleaned_data)
    ):
        return redirect("personas")
    context = {"form": form, "personas": personas_offered(user), "prompts": user.saved_prompts.all()}
    return render(request, "personas/page.html", context, status=400 if form.errors else 200)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def persona(request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
    """Makes a persona, or changes one of the user's own."""
    user = cast(User, request.user)
    saved = own_persona_for(user, pk) if pk else None
    form = PersonaForm(request.POST or None, initial=model_to_dict(saved) if saved else {})
    if request.method == "POST" and _save(
        request, form, lambda: services.save_persona(owner=user, persona=saved, **form.cleaned_data)
    ):
        return redirect("personas")
    words = {
        "new": _("New persona"),
        "delete": _("Delete this persona"),
        "after": _("Conversations that have it continue without a persona. Existing answers stay."),
    }
    return _entry(request, form, saved, words, "delete_persona")


@login_required
@require_POST
def delete_persona(request: HttpRequest, pk: UUID) -> HttpResponse:
    services.delete_persona(own_persona_for(cast(User, request.user), pk))
    messages.success(request, _("The persona is deleted."))
    return redirect("personas")


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def prompt(request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
    """Makes a saved prompt, or changes one."""
    user = cast(User, request.user)
    saved = own_prompt_for(user, pk) if pk else None
    form = PromptForm(request.POST or None, initial=model_to_dict(saved) if saved else {})
    if request.method == "POST" and _save(
        request, form, lambda: services.save_prompt(owner=user, prompt=saved, **form.cleaned_data)
    ):
        return redirect("personas")
    words = {
        "new": _("New prompt"),
        "delete": _("Delete this prompt"),
        "after": _("Messages that were written with it stay as they are."),
    }
    return _entry(request, form, saved, words, "delete_prompt")


@login_required
@require_POST
def delete_prompt(request: HttpRequest, pk: UUID) -> HttpResponse:
    services.delete_prompt(own_prompt_for(cast(User, request.user), pk))
    messages.success(request, _("The prompt is deleted."))
    return redirect("personas")


def _entry(
    request: HttpRequest,
    form: forms.Form,
    saved: Persona | SavedPrompt | None,
    words: dict[str, str],
    delete: str,
) -> HttpResponse:
    context = {
        "form": form,
        "saved": saved,
        "words": words,
        "delete": reverse(delete, args=[saved.pk]) if saved else "",
    }
    return render(request, "personas/entry.html", context, status=400 if form.errors else 200)


def _save(request: HttpRequest, form: forms.Form, save: Callable[[], Any]) -> bool:
    """Returns whether the form was saved; if not, it shows the reason."""
    if not form.is_valid():
        return False
    try:
        throttling.throttle("personas", str(request.user.pk), SAVES_AN_HOUR, 3600)
        save()
    except ChatError as error:
        form.add_error(None, error.words)
        return False
    messages.success(request, _("Saved."))
    return True
