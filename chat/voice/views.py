"""The settings page "Answers": instructions to the model and one's own personas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from chat.accounts.models import User
from chat.core import limits
from chat.core.errors import ChatError
from chat.voice import services
from chat.voice.access import own_persona_for, personas_offered
from chat.voice.forms import InstructionsForm, PersonaForm

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
    context = {"form": form, "personas": list(personas_offered(user))}
    return render(request, "voice/page.html", context, status=400 if form.errors else 200)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def persona(request: HttpRequest, pk: UUID | None = None) -> HttpResponse:
    """A new one, or one of one's own."""
    user = cast(User, request.user)
    kept = own_persona_for(user, pk) if pk else None
    known = {"name": kept.name, "prompt": kept.prompt} if kept else {}
    form = PersonaForm(request.POST or None, initial=known)
    if request.method == "POST" and _saved(
        request, form, lambda: services.save_persona(owner=user, persona=kept, **form.cleaned_data)
    ):
        return redirect("voice")
    return render(
        request, "voice/persona.html", {"form": form, "kept": kept}, status=400 if form.errors else 200
    )


@login_required
@require_POST
def delete_persona(request: HttpRequest, pk: UUID) -> HttpResponse:
    own_persona_for(cast(User, request.user), pk).delete()
    messages.success(request, _("The persona is deleted."))
    return redirect("voice")


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
