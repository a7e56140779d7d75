"""The settings page "Answers": custom instructions, personas, saved prompts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from chat.accounts.models import User
from chat.core import throttling
from chat.core.errors import ChatError
from chat.personas import services
from chat.personas.access import own_persona_for, own_prompt_for, personas_offered
from chat.personas.forms import CustomInstructionsForm, NewChatsForm, PersonaForm, PromptForm
from chat.personas.new_chats import get_new_chat_defaults, save_new_chat_defaults

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
    return _show_page(request, form=form)


@login_required
@never_cache
@require_POST
def new_chats(request: HttpRequest) -> HttpResponse:
    """Saves the model and the persona of the user's new chats."""
    user = cast(User, request.user)
    form = NewChatsForm(user, request.POST, initial=get_new_chat_defaults(user))
    if _save(request, form, lambda: save_new_chat_defaults(user=user, **form.cleaned_data)):
        return redirect("personas")
    return _show_page(request, new_chats=form)


def _show_page(
    request: HttpRequest, *, form: forms.Form | None = None, new_chats: forms.Form | None = None
) -> HttpResponse:
    user = cast(User, request.user)
    saved = services.get_custom_instructions(user)
    form = form or CustomInstructionsForm(initial=model_to_dict(saved))
    new_chats = new_chats or NewChatsForm(user, initial=get_new_chat_defaults(user))
    context = {
        "form": form,
        "new_chats": new_chats,
        "personas": personas_offered(user),
        "prompts": user.saved_prompts.all(),
    }
    has_errors = bool(form.errors or new_chats.errors)
    return render(request, "personas/page.html", context, status=400 if has_errors else 200)


@dataclass(frozen=True, slots=True)
class EntryKind:
    """A kind of text that users save under a name: its form, its functions and the words of its pages."""

    form: type[forms.Form]
    find_entry: Callable[[User, UUID], Any]  # raises NotFound
    # Gets the owner, the entry (None: a new one) and the fields of the form.
    save_entry: Callable[[User, Any, dict[str, Any]], object]
    delete_entry: Callable[[Any], None]
    delete_url: str  # name of the URL
    new_title: str | Promise
    delete_title: str | Promise
    delete_effects: str | Promise
    deleted: str | Promise


PERSONA = EntryKind(
    form=PersonaForm,
    find_entry=own_persona_for,
    save_entry=lambda owner, entry, fields: services.save_persona(owner=owner, persona=entry, **fields),
    delete_entry=services.delete_persona,
    delete_url="delete_persona",
    new_title=_("New persona"),
    delete_title=_("Delete this persona"),
    delete_effects=_("Conversations that have it continue without a persona. Existing answers stay."),
    deleted=_("The persona is deleted."),
)
PROMPT = EntryKind(
    form=PromptForm,
    find_entry=own_prompt_for,
    save_entry=lambda owner, entry, fields: services.save_prompt(owner=owner, prompt=entry, **fields),
    delete_entry=services.delete_prompt,
    delete_url="delete_prompt",
    new_title=_("New prompt"),
    delete_title=_("Delete this prompt"),
    delete_effects=_("Messages that were written with it stay as they are."),
    deleted=_("The prompt is deleted."),
)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def edit_entry(request: HttpRequest, kind: EntryKind, pk: UUID | None = None) -> HttpResponse:
    """Makes an entry of this kind, or changes one of the user's own."""
    user = cast(User, request.user)
    entry = kind.find_entry(user, pk) if pk else None
    form = kind.form(request.POST or None, initial=model_to_dict(entry) if entry else {})
    if request.method == "POST" and _save(
        request, form, lambda: kind.save_entry(user, entry, form.cleaned_data)
    ):
        return redirect("personas")
    delete = reverse(kind.delete_url, args=[entry.pk]) if entry else ""
    context = {"form": form, "entry": entry, "kind": kind, "delete": delete}
    return render(request, "personas/entry.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def delete_entry(request: HttpRequest, kind: EntryKind, pk: UUID) -> HttpResponse:
    kind.delete_entry(kind.find_entry(cast(User, request.user), pk))
    messages.success(request, str(kind.deleted))
    return redirect("personas")


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
