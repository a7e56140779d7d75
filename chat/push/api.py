"""The switch for notifications in this browser, as JSON. The service worker (templates/worker.js) uses it,
too, when the browser ends its subscription by itself.
"""

from __future__ import annotations

from chat.core.api import Answer, ApiRequest, json_view
from chat.push import pages, services


@json_view("GET", "PUT", "DELETE")
def this_browser(request: ApiRequest) -> Answer:
    if request.method == "GET":
        return pages.worker_details(request)
    if request.method == "DELETE":
        services.turn_off(user=request.user, session=request.session)
        return {"on": False}
    services.turn_on(
        user=request.user,
        session=request.session,
        endpoint=request.data.get("endpoint"),
        p256dh=request.data.get("p256dh"),
        auth=request.data.get("auth"),
        old=request.data.get("old"),
    )
    return {"on": True}
