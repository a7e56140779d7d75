"""Staff pages that are not lists of rows."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from chat.staff import engine, outbound
from chat.tools.services import enabled_tools
from chat.turns import redis_client


@require_safe
def engine_page(request: HttpRequest) -> HttpResponse:
    """Shows engine figures, none of which needs an audit row; grokweb/urls.py restricts it to staff."""
    try:
        models, fetches, requests = engine.models(), engine.fetches(), outbound.requests()
    except redis_client.UNAVAILABLE:
        models, fetches, requests = None, [], []
    about = {
        "title": _("Engine"),
        "models": models,
        "fetches": fetches,
        "requests": requests,
        "new_chats": engine.new_chats(),
        "problems": engine.problems(),
        "tools": [
            {"label": each.tool.label, "needs_approval": each.needs_approval} for each in enabled_tools()
        ],
        "at": timezone.localtime(),
    }
    return render(request, "admin/engine.html", {**admin.site.each_context(request), **about})
