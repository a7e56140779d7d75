"""Lists people who are logged in already: otherwise "log out everywhere else" would pass them by."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import migrations
from django.utils import timezone

NOWHERE = "0.0.0.0"  # noqa: S104 - as in chat/accounts/adapter.py: the address is not known


def list_sessions(apps: Any, schema_editor: Any) -> None:
    Session = apps.get_model("sessions", "Session")
    UserSession = apps.get_model("usersessions", "UserSession")
    people = {str(pk) for pk in apps.get_model("accounts", "User").objects.values_list("pk", flat=True)}
    known = set(UserSession.objects.values_list("session_key", flat=True))
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        person = SessionStore().decode(session.session_data).get(SESSION_KEY)
        if person in people and session.session_key not in known:
            UserSession.objects.create(
                session_key=session.session_key, user_id=person, ip=NOWHERE, user_agent=""
            )


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_appearance"),
        ("sessions", "0001_initial"),
        ("usersessions", "0001_initial"),
    ]

    operations = [migrations.RunPython(list_sessions, migrations.RunPython.noop, elidable=True)]
