"""The shared page and its report form. Neither says whose the conversation is, nor what a dead link was."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from asgiref.sync import sync_to_async
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
from chat.sharing.render_jobs import html_of

REPORTS_AN_HOUR = 10  # of one shared page, from one address
REPORTS_AN_HOUR_OF_ADDRESS = 200  # of all pages, from one address: it may be a school's
REPORTS_AN_HOUR_OF_ONE = 60  # of one shared page, from all addresses

View = Callable[[HttpRequest, str], HttpResponseBase]


def _elsewhere(request: HttpRequest, token: str, error: NotLoggedIn | NotFound) -> HttpResponse:
    if isinstance(error, NotLoggedIn):
        return redirect_to_login(reverse("shared", args=[token]))
    return render(request, "sharing/gone.html", status=404)


def gone_alike(view: View) -> View:
    """Every end of a link is answered by one page."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, token: str) -> HttpResponseBase:
        try:
            return view(request, token)
        except (NotLoggedIn, NotFound) as error:
            return _elsewhere(request, token, error)

    return wrapped


@require_safe
async def shared(request: HttpRequest, token: str) -> HttpResponse:
    """Asynchronous, so that it ends when its reader leaves; whatever asks the database runs in a thread."""
    try:
        page = await sync_to_async(_found)(request, token)
        replies = page.replies()
        html = await html_of(replies, request)
        if replies:  # that may have taken a while
            await sync_to_async(share_for)(request.user, token)
        return await sync_to_async(_shown)(request, page, html)
    except (NotLoggedIn, NotFound) as error:
        return await sync_to_async(_elsewhere)(request, token, error)


def _found(request: HttpRequest, token: str) -> services.Page:
    share = share_for(request.user, token)
    return services.readable(share, _number(request.GET.get("page", "1")))


def _number(given: str) -> int:
    if not given.isascii() or not given.isdigit() or len(given) > 6:
        raise NotFound
    return int(given)


def _shown(request: HttpRequest, page: services.Page, html: Sequence[str]) -> HttpResponse:
    share, card = page.share, page.share.conversation.model
    context = {
        "share": share,
        "title": page.title,
        "messages": page.with_html(html),
        "number": page.number,
        "page_count": share.page_count,
        "previous": page.number - 1,
        "next": page.number + 1 if page.number < share.page_count else 0,
        "model_name": card.name,
        "is_demo": card.is_demo,
        "imported": page.imported,
        "owner_suspended": share.owner.is_suspended,
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


@gone_alike
def _report_form(request: HttpRequest, token: str) -> HttpResponse:
    share = share_for(request.user, token)
    # PostgreSQL cannot store U+0000; json_view refuses it in JSON.
    data = {name: str(value).replace("\x00", "") for name, value in request.POST.items()}
    number = _number(data.get("page") or "1")
    _report(request, share, data, number)
    page = f"&page={number}" if number > 1 else ""
    return HttpResponseRedirect(f"{share.get_absolute_url()}?reported=1{page}")


@gone_alike
@json_view("POST", anonymous=True)
def _report_json(request: ApiRequest, token: str) -> HttpResponse:
    number = request.data.get("page", 1)
    if type(number) is not int:
        raise BadInput(_("That page does not exist."))
    made = _report(request, share_for(request.user, token), request.data, number)
    return JsonResponse({"report": {"id": str(made.pk), "status": made.status}}, status=201)


def _report(request: HttpRequest, share: Share, data: dict[str, Any], number: int) -> Report:
    words = {name: data.get(name) or "" for name in ("reason", "note", "message_id")}
    if not all(isinstance(value, str) for value in words.values()):
        raise BadInput(_("Reasons and notes are texts."))
    if not 1 <= number <= share.page_count:
        raise BadInput(_("That page does not exist."))
    address = client_address(request)
    take("share-report", f"{address} {share.pk}", REPORTS_AN_HOUR, 3600)
    take("share-report-address", address, REPORTS_AN_HOUR_OF_ADDRESS, 3600)
    take("share-reports", str(share.pk), REPORTS_AN_HOUR_OF_ONE, 3600)
    reporter = request.user if request.user.is_authenticated else None
    return services.report(share=share, reporter=reporter, page=number, **words)
