"""`python -m tests.faults.people NUMBER`: so many people, logged in; prints their cookies as JSON.

Runs in the environment of the service it is for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def invite(number: int, environment: Mapping[str, str]) -> list[str]:
    """Cookies of that many new people of a running service."""
    made = subprocess.run(
        [sys.executable, "-m", "tests.faults.people", str(number)],
        cwd=ROOT,
        env=dict(environment),
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    cookies: list[str] = json.loads(made.stdout.splitlines()[-1])
    return cookies


def main(number: int) -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "grokweb.settings"
    django.setup()
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.db import transaction

    from chat.accounts.models import User

    cookies = []
    with transaction.atomic():
        for _ in range(number):
            user = User(email=f"p{os.urandom(6).hex()}@example.org", display_name="Somebody")
            user.set_unusable_password()
            user.save()
            session = SessionStore()
            session[SESSION_KEY] = str(user.pk)
            session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
            session[HASH_SESSION_KEY] = user.get_session_auth_hash()
            session.save()
            cookies.append(f"{settings.SESSION_COOKIE_NAME}={session.session_key}")
    print(json.dumps(cookies))


if __name__ == "__main__":
    main(int(sys.argv[1]))
