"""Implements manage.py create_user EMAIL [--password P] [--staff] [--superuser] [--group G]."""

from __future__ import annotations

import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chat.accounts import services
from chat.core.errors import ChatError


class Command(BaseCommand):
    help = "Create an account that can log in at once. Without --password, one is generated and printed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--password")
        parser.add_argument("--name", default="", help="display name")
        parser.add_argument("--staff", action="store_true", help="may open /admin/ as far as groups permit")
        parser.add_argument("--superuser", action="store_true", help="administrator")
        parser.add_argument("--group", default="", help="group to join; created if it does not exist")

    def handle(self, *args: Any, **options: Any) -> None:
        password = options["password"] or secrets.token_urlsafe(12)
        try:
            user = services.create_user(
                email=options["email"],
                password=password,
                display_name=options["name"],
                is_staff=options["staff"],
                is_superuser=options["superuser"],
                group=options["group"],
            )
        except ChatError as error:
            raise CommandError(error.words) from None
        self.stdout.write(f"created {user.email}")
        if not options["password"]:
            self.stdout.write(f"password: {password}")
