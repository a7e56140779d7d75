"""The shared page, the questions of its policy, and its report form.

None of them reveals whose the conversation is, nor what a dead link was.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from chat.core.api import ApiRequest, json_view
from chat.core.errors import BadInput, NotFound, NotLoggedIn
from chat.core.extensions import form_of
from chat.core.load_shedding import request_cost
from chat.core.throttling import client_address, throttle
from chat.files.responses import inline_image
from chat.moderation.models import Report
from chat.sharing import access_cookie, reading, reporting
from chat.sharing.access import ReaderAsked, share_for, shared_image_for, unanswered_share_for
from chat.sharing.csrf import csrf_for_shared_page
from chat.sharing.models import Share
from chat.sharing.policies import policy_for
from chat.sharing.render_jobs import html_of

ANSWERS_AN_HOUR_OF_ADDRESS = 60  # answers to all pages, from one address
ANSWERS_AN_HOUR_OF_ONE = 300  # answers to one page, from all addresses
REPORTS_AN_HOUR = 10  # reports of one shared page, from one address
REPORTS_AN_HOUR_OF_ADDRESS = 200  # reports of all pages, from one address, which may be a school's
REPORTS_AN_HOUR_OF_ONE = 60  # reports of one shared page, from all addresses

View = Callable[[HttpRequest, str], HttpResponseBase]


Closed = NotLoggedIn | NotFound | ReaderAsked


def _elsewhere(request: HttpRequest, token: str, error: Closed) -> HttpResponse:
    if isinstance(error, ReaderAsked):
        return _question(request, error.share)
    if isinstance(error, NotLoggedIn):
        return redirect_to_login(reverse("shared", args=[token]))
    return render(request, "sharing/gone.html", status=404)


def gone_alike(view: View) -> View:
    """Answers every end of a link by one page."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, token: str) -> HttpResponseBase:
        try:
            return view(request, token)
        except (NotLoggedIn, NotFound, ReaderAsked) as error:
            return _elsewhere(request, token, error)

    return wrapped


@require_safe
async def shared(request: HttpRequest, token: str) -> HttpResponse:
    """Shows a shared page. It is asynchronous, so that it ends when its reader leaves; queries run in a
    thread.
    """
    try:
        page = await sync_to_async(_found)(request, token)
        replies = page.replies()
        html = await html_of(replies, request)
        if replies:  # that may have taken a while
            await sync_to_async(_share)(request, token)
        return await sync_to_async(_shown)(request, page, html)
    except (NotLoggedIn, NotFound, ReaderAsked) as error:
        return await sync_to_async(_elsewhere)(request, token, error)


def _share(request: HttpRequest, token: str) -> Share:
    return share_for(request.user, token, access_cookie.value_of(request))


def _found(request: HttpRequest, token: str) -> reading.Page:
    return reading.readable(_share(request, token), _number(request.GET.get("page", "1")))


def _number(given: str) -> int:
    if not given.isascii() or not given.isdigit() or len(given) > 6:
        raise NotFound
    return int(given)


def _shown(request: HttpRequest, page: reading.Page, html: Sequence[str]) -> HttpResponse:
    share, card = page.share, page.share.conversation.model
    context = {
        "share": share,
        "title": page.title,
        "messages": page.with_html(html),
        "number": page.number,
        "page_count": share.page_count,
        "previous": page.number - 1,
        "next": page.number + 1 if page.number < share.page_count else 0,
        "model_name": card.shown_name,
        "is_demo": card.is_demo,
        "imported": page.imported,
        "owner_suspended": share.owner.is_suspended,
        "report_reasons": Report.Reason.choices,
        "reported": "reported" in request.GET,
    }
    return render(request, "sharing/shared.html", context)


@require_safe
def image(request: HttpRequest, token: str, number: int, pk: UUID) -> HttpResponse:
    """Sends an image of a shared page, without a name. To everybody else each end looks the same."""
    try:
        found = shared_image_for(request.user, token, access_cookie.value_of(request), number, pk)
        return inline_image(found)
    except (NotLoggedIn, NotFound, ReaderAsked):
        return render(request, "sharing/gone.html", status=404)


# --- What a policy asks its reader ------------------------------------------------------------------------


def _question(request: HttpRequest, share: Share, *, wrong: bool = False) -> HttpResponse:
    """Shows the form. A missing answer and a wrong one get the same page."""
    policy = policy_for(share.policy)
    context = {"share": share, "policy": policy, "form": form_of(policy.questions), "wrong": wrong}
    return render(request, "sharing/question.html", context, status=403 if wrong else 200)


@csrf_exempt  # csrf_for_shared_page makes the same check, and allows the null origin
@csrf_for_shared_page
@sensitive_post_parameters()
@request_cost(20)  # of a hash
@require_POST
@gone_alike
def answer(request: HttpRequest, token: str) -> HttpResponse:
    share = unanswered_share_for(request.user, token)
    policy = policy_for(share.policy)
    address = client_address(request)
    throttle("share-answer", f"{address} {share.pk}", policy.attempts_an_hour, 3600)
    throttle("share-answer-address", address, ANSWERS_AN_HOUR_OF_ADDRESS, 3600)
    throttle("share-answers", str(share.pk), ANSWERS_AN_HOUR_OF_ONE, 3600)
    form = form_of(policy.questions, request.POST)
    if policy.questions and not (form.is_valid() and policy.is_right(share, form.cleaned_data)):
        return _question(request, share, wrong=True)
    response = HttpResponseRedirect(share.get_absolute_url())
    if policy.questions:
        access_cookie.give(response, share)
    return response


# --- Reports ----------------------------------------------------------------------------------------------


@csrf_exempt  # as above
@csrf_for_shared_page
@require_POST
def report(request: HttpRequest, token: str) -> HttpResponseBase:
    """Takes a report from the form of the page, or as JSON from a script."""
    return (
        _report_json(request, token)
        if request.content_type == "application/json"
        else _report_form(request, token)
    )


@gone_alike
def _report_form(request: HttpRequest, token: str) -> HttpResponse:
    share = _share(request, token)
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
    made = _report(request, _share(request, token), request.data, number)
    return JsonResponse({"report": {"id": str(made.pk), "status": made.status}}, status=201)


def _report(request: HttpRequest, share: Share, data: dict[str, Any], number: int) -> Report:
    words = {name: data.get(name) or "" for name in ("reason", "note", "message_id")}
    if not all(isinstance(value, str) for value in words.values()):
        raise BadInput(_("Reasons and notes are texts."))
    if not 1 <= number <= share.page_count:
        raise BadInput(_("That page does not exist."))
    address = client_address(request)
    throttle("share-report", f"{address} {share.pk}", REPORTS_AN_HOUR, 3600)
    throttle("share-report-address", address, REPORTS_AN_HOUR_OF_ADDRESS, 3600)
    throttle("share-reports", str(share.pk), REPORTS_AN_HOUR_OF_ONE, 3600)
    reporter = request.user if request.user.is_authenticated else None
    return reporting.report(share=share, reporter=reporter, page=number, **words)
