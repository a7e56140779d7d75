"""Turns a ChatError into a page, or into JSON under /api/, with the right status."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from redis.exceptions import ConnectionError as RedisDown
from redis.exceptions import TimeoutError as RedisSlow

from chat.core import storage
from chat.core.api import error_response
from chat.core.errors import ChatError, ServiceDown

log = logging.getLogger(__name__)


class ErrorMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Returns None for other exceptions: Django logs them and views.broken answers."""
        if (full := storage.translated(exception)) is not None:
            log.warning("refused, the disk is full or read-only: %s", type(exception).__name__)
            exception = full
        elif isinstance(exception, RedisDown | RedisSlow):  # logging in counts attempts there
            log.warning("Redis does not answer: %s", exception)
            exception = ServiceDown()
        if not isinstance(exception, ChatError):
            return None
        if request.path.startswith("/api/"):
            return error_response(exception)
        # Forbidden and absent objects look like an address that never existed.
        template = "404.html" if exception.http_status == 404 else "error.html"
        context = {"error": exception, "words": exception.words, "status": exception.http_status}
        response = render(request, template, context, status=exception.http_status)
        if "retry_after" in exception.extra:
            response["Retry-After"] = str(exception.extra["retry_after"])
        return response


class PrivateMiddleware:
    """Keeps pages of logged-in people out of every cache, unless the page says otherwise."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_page = response.get("Content-Type", "").startswith("text/html")
        if is_page and "Cache-Control" not in response and request.user.is_authenticated:
            response["Cache-Control"] = "private, no-store"
        return response
