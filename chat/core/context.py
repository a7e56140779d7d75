"""Adds to every template the site's name, the model people talk to, whether sign-up is open, and
whether there are notifications.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

SITE_NAME = "GrokWeb"


def site(request: HttpRequest) -> dict[str, Any]:
    return {
        "site_name": SITE_NAME,
        "model": SimpleLazyObject(_default_model),  # no query on pages that do not mention it
        "sends_mail": settings.ACCOUNT_EMAIL_VERIFICATION != "none",
        "signup_open": settings.SIGNUP_OPEN,
        "has_push": bool(settings.PUSH_KEY),
        "addresses": " ".join(settings.SITE_URLS),
    }


def _default_model() -> Any:
    """Returns the model of new chats. It asks the registry of apps, since core imports no feature."""
    return apps.get_app_config("model_cards").default_model()  # type: ignore[attr-defined]
