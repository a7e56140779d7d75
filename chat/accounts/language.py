"""Saves a person's language in the profile, and in the cookie that LocaleMiddleware reads."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse

YEAR_SECONDS = 365 * 24 * 3600


def remember(response: HttpResponse, language: str) -> None:
    """Sets the language cookie of this browser; an empty `language` deletes it, so that the browser's setting
    decides.
    """
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
