"""A person's language: saved in the profile, carried by the cookie that LocaleMiddleware reads."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse

YEAR_SECONDS = 365 * 24 * 3600


def remember(response: HttpResponse, language: str) -> None:
    """Pages of this browser speak `language` from now on; empty goes back to what the browser asks for."""
    if not language:
        response.delete_cookie(settings.LANGUAGE_COOKIE_NAME, samesite="Lax")
        return
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=YEAR_SECONDS,
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )
