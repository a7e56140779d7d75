"""Which language a websocket speaks: the profile's, else the cookie's, else the browser's."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation.trans_real import parse_accept_lang_header


def language_of(scope: dict[str, Any]) -> str:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    wishes = [getattr(scope["user"], "language", ""), _cookie(headers.get("cookie", ""))]
    wishes += [code for code, _ in parse_accept_lang_header(headers.get("accept-language", ""))]
    for wish in wishes:
        try:
            if wish:
                return translation.get_supported_language_variant(wish)
        except LookupError:
            continue
    return settings.LANGUAGE_CODE


def _cookie(header: str) -> str:
    try:
        morsel = SimpleCookie(header).get(settings.LANGUAGE_COOKIE_NAME)
    except CookieError:
        return ""
    return morsel.value if morsel else ""
