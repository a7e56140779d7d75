"""Serves /api/search/?q=, which the palette requests as a person types."""

from __future__ import annotations

from typing import Any

from chat.core.api import ApiRequest, json_view
from chat.core.load_shedding import request_cost
from chat.core.throttling import throttle
from chat.search import services


@request_cost(5)
@json_view("GET")
def search(request: ApiRequest) -> dict[str, Any]:
    throttle("search", str(request.user.pk), 600, 60)
    return services.search(request.user, request.GET.get("q", ""), request.GET.get("cursor", ""))
