"""The switch for notifications in this browser, as JSON."""

from __future__ import annotations

from chat.core.api import Answer, ApiRequest, json_view
from chat.push import services


@json_view("PUT", "DELETE")
def this_browser(request: ApiRequest) -> Answer:
    session = request.session.session_key or ""
    if request.method == "DELETE":
        services.turn_off(user=request.user, session_key=session)
        return {"on": False}
    services.turn_on(
        user=request.user,
        session_key=session,
        endpoint=request.data.get("endpoint"),
        p256dh=request.data.get("p256dh"),
        auth=request.data.get("auth"),
    )
    return {"on": True}
