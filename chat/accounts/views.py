"""Serves the settings page, the profile as JSON, and the language switch, which saves the choice."""

from __future__ import annotations

from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from django.views.i18n import set_language as django_set_language

from chat.accounts import devices, hooks, language, services
from chat.accounts.access import session_for
from chat.accounts.models import User
from chat.core.api import Answer, ApiRequest, json_view
from chat.core.errors import BadInput, ChatError

PROFILE_FIELDS = ("display_name", "language", "theme", "density")


class ProfileForm(forms.Form):
    display_name = forms.CharField(label=gettext_lazy("Display name"), max_length=80, required=False)
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        required=False,
        choices=lambda: [("", gettext_lazy("As my browser asks")), *settings.LANGUAGES],
    )


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def settings_page(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    known = {"display_name": request.user.display_name, "language": request.user.language}
    form = ProfileForm(request.POST or None, initial=known)
    if request.method == "POST" and form.is_valid():
        try:
            return _saved(request, form.cleaned_data)
        except ChatError as error:
            form.add_error("display_name", error.words)
    known_devices = devices.devices_of(request.user, request.session.session_key or "")
    context: dict[str, Any] = {
        "form": form,
        "devices": known_devices,
        "second_factor": is_mfa_enabled(request.user),
    }
    for added in hooks.settings_details(request):
        context |= added
    status = 400 if form.errors else 200
    return render(request, "accounts/settings.html", context, status=status)


def _saved(request: HttpRequest, data: dict[str, str]) -> HttpResponse:
    assert isinstance(request.user, User)
    services.edit_profile(user=request.user, display_name=data["display_name"], language=data["language"])
    messages.success(request, _("Saved."))
    response = redirect("settings")
    language.remember(response, request.user.language)
    return response


@login_required
@require_POST
def appearance(request: HttpRequest) -> HttpResponse:
    """Stores colours and density without JavaScript; static/js/parts/appearance.js calls `profile`."""
    assert isinstance(request.user, User)
    services.edit_profile(
        user=request.user, theme=request.POST.get("theme"), density=request.POST.get("density")
    )
    messages.success(request, _("Saved."))
    return redirect(f"{reverse('settings')}#appearance")


@login_required
@require_POST
def end_session(request: HttpRequest, pk: int) -> HttpResponse:
    assert isinstance(request.user, User)
    devices.end_one(request.user, session_for(request.user, pk))
    messages.success(request, _("That browser is logged out."))
    return _back_to_sessions()


@login_required
@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    count = devices.end_others(request.user, request.session.session_key or "")
    words = ngettext("%(count)d browser is logged out.", "%(count)d browsers are logged out.", count)
    messages.success(request, words % {"count": count})
    return _back_to_sessions()


def _back_to_sessions() -> HttpResponse:
    return redirect(f"{reverse('settings')}#sessions")


@json_view("GET", "PATCH")
def profile(request: ApiRequest) -> Answer:
    changed = {name: request.data[name] for name in PROFILE_FIELDS if name in request.data}
    if any(not isinstance(value, str) for value in changed.values()):
        raise BadInput(_("The fields of a profile must be text."))
    if changed:
        services.edit_profile(user=request.user, **changed)
    user: User = request.user
    response = JsonResponse(
        {
            "id": str(user.pk),
            "email": user.email,
            "display_name": user.display_name,
            "language": user.language,
            "theme": user.theme,
            "density": user.density,
        }
    )
    if "language" in changed:
        language.remember(response, user.language)
    return response


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Calls Django's own switch, which sets the cookie, and saves the language in the profile of a logged-in
    person.
    """
    chosen = request.POST.get("language", "")
    user = request.user
    if isinstance(user, User) and not user.is_suspended and chosen in dict(settings.LANGUAGES):
        services.edit_profile(user=user, language=chosen)
    response = django_set_language(request)
    assert isinstance(response, HttpResponse)
    return response
