"""Addresses whose domain has letters beyond ASCII are stored as chat/accounts/lookalikes.py does: xn--…"""

from __future__ import annotations

from typing import Any

from django.db import migrations


def store_plain(apps: Any, schema_editor: Any) -> None:
    User = apps.get_model("accounts", "User")
    EmailAddress = apps.get_model("account", "EmailAddress")
    for pk, email in list(User.objects.values_list("pk", "email").iterator()):
        plain = _plain(email)
        if plain == email or User.objects.filter(email=plain).exists():
            continue  # of two addresses that are one, both stay: staff decide whose it is
        User.objects.filter(pk=pk).update(email=plain)
        if not EmailAddress.objects.filter(email=plain).exists():
            EmailAddress.objects.filter(user_id=pk, email=email).update(email=plain)


def _plain(email: str) -> str:
    if email.isascii():
        return email
    local, _, domain = email.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return email


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_sessions_known"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]

    operations = [migrations.RunPython(store_plain, migrations.RunPython.noop)]
