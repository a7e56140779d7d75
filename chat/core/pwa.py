"""Makes GrokWeb installable as an app: its manifest, and a page for when the network is away.

The service worker keeps that page and its style, fetched without cookies, and nothing else: what people read
stays out of every cache. It also shows notifications (chat/push), where the operator has them.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils import translation
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.vary import vary_on_headers

from chat.core.context import SITE_NAME

ICONS = (
    ("img/icon.svg", "image/svg+xml", "any", "any"),
    ("img/icon-192.png", "image/png", "192x192", "any"),
    ("img/icon-512.png", "image/png", "512x512", "any"),
    ("img/icon-maskable-512.png", "image/png", "512x512", "maskable"),
)


@cache_control(max_age=3600)
@vary_on_headers("Accept-Language", "Cookie")
def manifest(request: HttpRequest) -> HttpResponse:
    content: dict[str, Any] = {
        "id": "/",
        "name": SITE_NAME,
        "short_name": SITE_NAME,
        "description": _("A chat with a language model that runs on this server."),
        "lang": get_language(),
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#fdfdfb",  # --paper of base.css, in the light
        "theme_color": "#fdfdfb",
        "icons": [
            {"src": static(path), "type": kind, "sizes": sizes, "purpose": purpose}
            for path, kind, sizes, purpose in ICONS
        ],
    }
    return JsonResponse(content, content_type="application/manifest+json")


@cache_control(no_cache=True)
def worker(request: HttpRequest) -> HttpResponse:
    """Serves the service worker at the root, so that its scope is every page."""
    styles = [static("css/base.css"), static("css/pages.css"), static("img/icon.svg")]
    context = {"kept": styles, "icon": static("img/icon-192.png")}
    return render(request, "worker.js", context, content_type="text/javascript; charset=utf-8")


@cache_control(no_cache=True)
def offline(request: HttpRequest, language: str) -> HttpResponse:
    if language not in dict(settings.LANGUAGES):
        raise Http404
    with translation.override(language):
        return render(request, "offline.html")
