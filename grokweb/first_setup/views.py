"""Answers the setup page in the admin: for superusers, one form for each step, usable without scripts.

A form that was carried out leads back to the page; one that was refused shows the page again with its line,
and with what was typed, except keys and passwords. The page's script asks for JSON instead where a step only
tries something out.
"""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from chat.accounts.models import User
from grokweb.first_setup import model_state
from grokweb.first_setup.page import page
from grokweb.first_setup.steps import STEPS, Done, Refused, carried_out


@require_http_methods(["GET", "HEAD", "POST"])
def setup_page(request: HttpRequest) -> HttpResponseBase:
    person = _administrator(request)
    if request.method != "POST":
        return page(request)
    name = request.POST.get("step", "")
    if name not in STEPS:
        return page(request, refused=Refused(_("There is no such step.")))
    outcome = carried_out(STEPS[name], request, person)
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse({"ok": isinstance(outcome, Done), "words": outcome.words})
    if isinstance(outcome, Refused):
        return page(request, refused=outcome, step=name)
    if not outcome.leads_to:
        return page(request, done=outcome, step=name)
    messages.success(request, outcome.words)
    return redirect(outcome.leads_to)


@require_safe
def setup_state(request: HttpRequest) -> HttpResponse:
    """Answers with the state of the model of new chats, which the page asks for while it waits."""
    _administrator(request)
    state = model_state.default_state()
    detail = state.shown_detail
    return JsonResponse(
        {"slug": state.slug, "kind": state.kind, "words": state.words, "percent": state.percent}
        | {"detail": detail.words, "detail_language": detail.language}
    )


def _administrator(request: HttpRequest) -> User:
    """Raises PermissionDenied for staff who may not change everything; the admin turns others away."""
    if not isinstance(request.user, User) or not request.user.is_superuser:
        raise PermissionDenied
    return request.user
