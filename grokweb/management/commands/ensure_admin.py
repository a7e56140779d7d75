"""`manage.py ensure_admin` creates the first administrator and shows the password once."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from chat.accounts import services
from chat.accounts.lookalikes import normalised_address
from chat.accounts.models import User
from chat.core.errors import ChatError
from grokweb import prepare_stamp

DEFAULT_EMAIL = "admin@localhost"


class Command(BaseCommand):
    help = (
        "Create an administrator if there is none, or if GROKWEB_ADMIN_EMAIL names an account that "
        "does not exist. An account that exists is never changed."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            named = normalised_address(prepare_stamp.ADMIN_EMAIL)
        except ChatError as error:
            raise CommandError(f"GROKWEB_ADMIN_EMAIL={prepare_stamp.ADMIN_EMAIL}: {error}") from None
        if named and User.objects.filter(email__iexact=named).exists():
            return
        if not named and User.objects.filter(is_superuser=True, is_active=True).exists():
            return
        email = named or DEFAULT_EMAIL
        password = prepare_stamp.ADMIN_PASSWORD or secrets.token_urlsafe(12)
        try:
            services.create_user(email=email, password=password, is_staff=True, is_superuser=True)
        except (ChatError, ValidationError) as error:
            raise CommandError(f"GROKWEB_ADMIN_EMAIL={email}: {error}") from None
        shown = "as in GROKWEB_ADMIN_PASSWORD" if prepare_stamp.ADMIN_PASSWORD else password
        self.stdout.write("The administrator (shown once; change the password in the settings):")
        self.stdout.write(f"  e-mail:   {email}")
        self.stdout.write(f"  password: {shown}")
