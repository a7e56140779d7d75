"""Staff pages that are no list of rows."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from chat.staff import engine
from chat.turns import port


@require_safe
def engine_page(request: HttpRequest) -> HttpResponse:
    """Put behind the admin's door in grokweb/urls.py. Figures only: nothing that would have to be audited."""
    try:
        models = engine.models()
    except port.UNAVAILABLE:
        models = None
    about = {
        "title": _("Engine"),
        "models": models,
        "new_chats": engine.new_chats(),
        "at": timezone.localtime(),
    }
    return render(request, "admin/engine.html", {**admin.site.each_context(request), **about})
