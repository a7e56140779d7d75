"""Protects the report form of a page that sends no referrer against CSRF."""

from __future__ import annotations

from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.decorators import decorator_from_middleware


class SharedPageCsrf(CsrfViewMiddleware):
    """Applies Django's check, token included, with one exception that the shared page needs.

    Under `Referrer-Policy: no-referrer` (the address is the key to the page, so it goes nowhere) browsers
    send `Origin: null` with the page's own form, which Django refuses. Browsers also say where a request
    comes from in Sec-Fetch-Site, which no script can set: a null origin passes only beside "same-origin".
    They leave that header out on plain HTTP, where Django itself asks for no more than the token.
    """

    def _origin_verified(self, request: HttpRequest) -> bool:
        if request.headers.get("Origin") == "null":
            site = request.headers.get("Sec-Fetch-Site")
            return site == "same-origin" or (site is None and not request.is_secure())
        return bool(super()._origin_verified(request))  # type: ignore[misc]


csrf_for_shared_page = decorator_from_middleware(SharedPageCsrf)
