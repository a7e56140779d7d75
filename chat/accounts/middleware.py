"""Suspended people meet their suspension at every door except the way out; who is here is noted."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from chat.accounts import devices, services, suspension
from chat.core.api import error_response
from chat.core.errors import Suspended

# Open to anybody anyway: the page about the suspension needs the first two, and /metrics looks for itself.
OPEN = ("/i18n/", "/jsi18n/", "/robots.txt", "/healthz", "/readyz", "/metrics")


class SuspensionMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(OPEN) or request.path == reverse("account_logout"):
            return self.get_response(request)
        user = request.user
        if not user.is_authenticated or not user.is_suspended:
            return self.get_response(request)
        try:
            services.check_not_suspended(user)
        except Suspended as error:
            if request.path.startswith("/api/"):
                return error_response(error)
            return suspension.page(request, user)
        return self.get_response(request)  # it ended between the two looks


class SeenMiddleware:
    """When a browser was last here, for the list on the settings page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(OPEN):  # those look at no session
            devices.note(request)
        return self.get_response(request)
