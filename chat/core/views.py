"""Serves robots.txt and the error pages. None of them reveals whether something exists."""

from __future__ import annotations

import sys

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template import loader
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control

from chat.core import storage
from chat.core.api import error_response
from chat.core.errors import ChatError, NotAllowed, NotFound, StorageFull

# Nothing here is for search engines. Shared pages say so themselves (noindex): a crawler that may not read
# them does not learn that, and lists their bare addresses when somebody links to them.
ROBOTS = "User-agent: *\nAllow: /s/\nAllow: {static}\nDisallow: /\n"


@cache_control(max_age=86400)
def robots(request: HttpRequest) -> HttpResponse:
    return HttpResponse(ROBOTS.format(static=settings.STATIC_URL), content_type="text/plain")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith("/api/"):
        return error_response(NotFound())
    error = NotFound()
    return render(request, "404.html", {"error": error, "words": error.words, "status": 404}, status=404)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    error = NotAllowed(_("You may not open this page."))
    if request.path.startswith("/api/"):
        return error_response(error)
    return render(request, "403.html", {"error": error, "words": error.words, "status": 403}, status=403)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answers a failed CSRF check: the page was open too long, or another site sent the form."""
    error = NotAllowed(_("This page is out of date. Please reload it and try again."))
    if request.path.startswith("/api/"):
        return error_response(error)
    return render(request, "403.html", {"error": error, "words": error.words, "status": 403}, status=403)


def broken(request: HttpRequest) -> HttpResponse:
    """Answers errors of the server without context processor, session or user: the database may be what
    failed.

    A full disk comes here when it was met outside a view: a session that could not be saved, for example.
    """
    failure = sys.exc_info()[1]
    if failure is not None and (full := storage.translated(failure)) is not None:
        return _storage_full(request, full)
    if request.path.startswith("/api/"):
        error = ChatError(_("Something went wrong here. It has been noted; please try again."))
        return JsonResponse({"error": {"code": "broken", "words": error.words}}, status=500)
    return HttpResponse(loader.get_template("500.html").render(), status=500)


def _storage_full(request: HttpRequest, error: StorageFull) -> HttpResponse:
    if request.path.startswith("/api/"):
        return error_response(error)
    page = loader.get_template("500.html").render({"words": error.words})
    return HttpResponse(
        page, status=error.http_status, headers={"Retry-After": str(error.extra["retry_after"])}
    )
