"""The shared page and its report form. Neither says whose the conversation is, nor what a dead link was."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from chat.core.api import ApiRequest, json_view
from chat.core.errors import BadInput, NotFound, NotLoggedIn
from chat.core.limits import client_address, take
from chat.moderation.models import Report
from chat.sharing import services
from chat.sharing.access import share_for
from chat.sharing.guard import csrf_for_shared_page
from chat.sharing.models import Share

REPORTS_AN_HOUR = 10  # of one shared page, from one address
REPORTS_AN_HOUR_OF_ADDRESS = 200  # of all pages, from one address: it may be a school's
REPORTS_AN_HOUR_OF_ONE = 60  # of one shared page, from all addresses

View = Callable[[HttpRequest, str], HttpResponseBase]


def unlisted(view: View) -> View:
    """Not found by search engines, kept by nobody, told to nobody, and gone in one way only."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, token: str) -> HttpResponseBase:
        response: HttpResponseBase
        try:
            response = view(request, token)
        except NotLoggedIn:
            response = redirect_to_login(reverse("shared", args=[token]))
        except NotFound:
            response = render(request, "sharing/gone.html", status=404)
        response["X-Robots-Tag"] = "noindex, nofollow, noarchive"
        response["Referrer-Policy"] = "no-referrer"
        response["Cache-Control"] = "private, no-store"
        return response

    return wrapped


@require_safe
@unlisted
def shared(request: HttpRequest, token: str) -> HttpResponse:
    share = share_for(request.user, token)
    card = share.conversation.model
    page = services.readable(share)
    context = {
        "share": share,
        "title": page.title,
        "messages": page.messages,
        "model_name": card.name,
        "is_demo": card.is_demo,
        "report_reasons": Report.Reason.choices,
        "reported": "reported" in request.GET,
    }
    return render(request, "sharing/shared.html", context)


@csrf_exempt  # for csrf_for_shared_page alone, which checks the same and the null origin besides
@csrf_for_shared_page
@require_POST
def report(request: HttpRequest, token: str) -> HttpResponseBase:
    """From the form of the page, or JSON from a script."""
    return (
        _report_json(request, token)
        if request.content_type == "application/json"
        else _report_form(request, token)
    )


@unlisted
def _report_form(request: HttpRequest, token: str) -> HttpResponse:
    share = share_for(request.user, token)
    # PostgreSQL cannot store U+0000; json_view refuses it in JSON.
    _report(request, share, {name: str(value).replace("\x00", "") for name, value in request.POST.items()})
    return HttpResponseRedirect(f"{share.get_absolute_url()}?reported=1")


@unlisted
@json_view("POST", anonymous=True)
def _report_json(request: ApiRequest, token: str) -> HttpResponse:
    made = _report(request, share_for(request.user, token), request.data)
    return JsonResponse({"report": {"id": str(made.pk), "status": made.status}}, status=201)


def _report(request: HttpRequest, share: Share, data: dict[str, Any]) -> Report:
    words = {name: data.get(name) or "" for name in ("reason", "note", "message_id")}
    if not all(isinstance(value, str) for value in words.values()):
        raise BadInput(_("Reasons and notes are texts."))
    address = client_address(request)
    take("share-report", f"{address} {share.pk}", REPORTS_AN_HOUR, 3600)
    take("share-report-address", address, REPORTS_AN_HOUR_OF_ADDRESS, 3600)
    take("share-reports", str(share.pk), REPORTS_AN_HOUR_OF_ONE, 3600)
    reporter = request.user if request.user.is_authenticated else None
    return services.report(share=share, reporter=reporter, **words)
