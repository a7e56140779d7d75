"""`python -m tests.e2e.people NUMBER`: an administrator and so many people, logged in, as JSON.

Runs in the environment of the service it is for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Person:
    email: str
    name: str
    cookie: str  # of a session that is logged in
    value: str


def invite(number: int, environment: Mapping[str, str]) -> list[Person]:
    """Makes an administrator and `number` other people in a running service, logged in."""
    made = subprocess.run(
        [sys.executable, "-m", "tests.e2e.people", str(number)],
        cwd=ROOT,
        env=dict(environment),
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return [Person(**each) for each in json.loads(made.stdout.splitlines()[-1])]


def main(number: int) -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "grokweb.settings"
    django.setup()
    from allauth.account.models import EmailAddress
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.hashers import make_password
    from django.contrib.sessions.backends.db import SessionStore
    from django.db import transaction

    from chat.accounts.models import User

    hashed = make_password(PASSWORD)  # once: Argon2 takes its time
    people = []
    with transaction.atomic():
        for i in range(number + 1):
            email, name = ("root@example.org", "Ada") if i == 0 else (f"person{i}@example.org", f"Person {i}")
            rights = {"is_staff": i == 0, "is_superuser": i == 0}
            user = User.objects.create(email=email, display_name=name, password=hashed, **rights)
            EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
            session = SessionStore()
            session[SESSION_KEY] = str(user.pk)
            session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
            session[HASH_SESSION_KEY] = user.get_session_auth_hash()
            session.save()
            people.append(asdict(Person(email, name, settings.SESSION_COOKIE_NAME, str(session.session_key))))
    print(json.dumps(people))


if __name__ == "__main__":
    main(int(sys.argv[1]))
