"""Applies the profile's language, stops suspended people, and stores when a browser was last used."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import translation

from chat.accounts import devices, language, services, suspension
from chat.core.api import error_response
from chat.core.errors import Suspended
from chat.core.scopes import remember_person

# Open to everybody: the page about the suspension needs the first two; /metrics does its own check.
OPEN = (
    *("/i18n/", "/jsi18n/", "/robots.txt", "/healthz", "/readyz", "/metrics"),
    *("/manifest.webmanifest", "/worker.js", "/offline/", "/frame/"),
)


class LanguageMiddleware:
    """Applies the profile's language in every browser of a person, also in those that were open when it
    changed.

    The cookie is updated too: message catalogues for scripts and pages after logging out read only the
    cookie.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(OPEN) or not request.user.is_authenticated:
            return self.get_response(request)
        chosen, name = request.user.language, settings.LANGUAGE_COOKIE_NAME
        if not chosen:
            return self.get_response(request)
        translation.activate(chosen)
        response = self.get_response(request)
        if request.COOKIES.get(name) != chosen and name not in response.cookies:  # unless a view just set it
            language.remember(response, chosen)
        return response


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
        return self.get_response(request)  # it ended between the two queries


class KnownMiddleware:
    """Tells the gate whose session this is, so that the next request counts against the person."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        user = getattr(
            request, "_cached_user", None
        )  # set by Django if a view read the user, so this costs no query
        if user is not None and user.is_authenticated and request.session.session_key:
            remember_person(request.session.session_key, user.pk)
        return response


class SeenMiddleware:
    """Stores when a browser was last used, for the list on the settings page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(OPEN):  # these read no session
            devices.note(request)
        return self.get_response(request)
