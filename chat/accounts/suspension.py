"""Shows a suspended person why, at login and at every request after it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from chat.accounts import services
from chat.accounts.models import User


def page(request: HttpRequest, user: User) -> HttpResponse:
    """Shows the reason and the end of a suspension, with a log-out button if logged in (the template reads
    `user`).
    """
    context = {
        "reason": user.suspension_reason,
        "until": user.suspended_until,
        "words": services.suspension_words(user),
    }
    return render(request, "accounts/suspended.html", context, status=403)
