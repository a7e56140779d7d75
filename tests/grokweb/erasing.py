"""`python -m tests.grokweb.erasing COMMAND …` in the environment of a service: people, and time passing."""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from typing import Any

PASSWORD = "a password of some length"


def invite(email: str) -> dict[str, Any]:
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from chat.accounts.services import create_user

    user = create_user(email=email, password=PASSWORD, display_name=email.partition("@")[0])
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return {"cookie": f"{settings.SESSION_COOKIE_NAME}={session.session_key}"}


def a_day_later() -> dict[str, Any]:
    """Simulates a day: temporary chats end, deletions become final, keys in Redis expire."""
    import redis
    from django.conf import settings
    from django.utils import timezone

    from chat.conversations.models import Conversation
    from grokweb.celery import app

    then = timezone.now() - timedelta(days=1, hours=1)
    Conversation.objects.filter(temporary=True, deleted_at=None).update(updated_at=then)
    app.send_task("jobs.purge")
    Conversation.objects.exclude(deleted_at=None).update(deleted_at=then)
    app.send_task("jobs.purge")
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        for key in client.scan_iter("*replies-html*"):
            client.pexpire(key, 1000)
    return {"left": Conversation.objects.count()}


if __name__ == "__main__":
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "grokweb.settings"
    django.setup()
    chosen: Any = {"invite": invite, "a_day_later": a_day_later}[sys.argv[1]]
    print(json.dumps(chosen(*sys.argv[2:])))
