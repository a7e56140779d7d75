"""Serves today's usage as JSON."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from chat.core.api import Answer, ApiRequest, json_view
from chat.quotas import services


@json_view("GET")
def usage(request: ApiRequest) -> Answer:
    return services.usage_json(request.user)


def page_usage(request: HttpRequest) -> dict[str, Any]:
    """Returns usage for the chat and settings pages, which belong to earlier apps (registered in
    apps.py).
    """
    assert request.user.is_authenticated  # both pages ask for a login
    return {"usage": services.usage_json(request.user)}
