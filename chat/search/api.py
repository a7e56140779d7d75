"""/api/search/?q=: what the palette asks as one types."""

from __future__ import annotations

from typing import Any

from chat.core.api import ApiRequest, json_view
from chat.core.gate import costs
from chat.core.limits import take
from chat.search import services


@costs(5)
@json_view("GET")
def search(request: ApiRequest) -> dict[str, Any]:
    take("search", str(request.user.pk), 600, 60)
    return services.search(request.user, request.GET.get("q", ""), request.GET.get("cursor", ""))
