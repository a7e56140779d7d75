"""Leads administrators to the setup page until one of them has finished or skipped it, as the audit says."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse

from chat.accounts.models import User
from chat.core import audit
from chat.core.models import StaffAction

SKIPPED, FINISHED = "skip setup", "finish setup"


def is_done() -> bool:
    """Returns whether an administrator finished or skipped the page, so that nobody is led to it any more."""
    return StaffAction.objects.filter(verb__in=(SKIPPED, FINISHED)).exists()


def close(by: User | None, verb: str) -> None:
    audit.record(by, verb, "setup")


def login_destination(request: HttpRequest, user: User) -> str:
    """Handles the hook of the log-in."""
    return reverse("setup") if user.is_superuser and user.is_staff and not is_done() else ""
