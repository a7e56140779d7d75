"""Opens a shared page to whoever has the address and its password. Only a salted hash of that is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext_lazy

from chat.accounts.models import User
from chat.sharing.policies.base import Policy

if TYPE_CHECKING:
    from chat.sharing.models import Share

SHORTEST, LONGEST = 8, 128  # characters


class Password(Policy):
    label = gettext_lazy("people who know a password")
    fields = {
        "password": forms.CharField(
            label=gettext_lazy("Password of the link"),
            help_text=gettext_lazy("At least 8 characters. Tell it to your readers; it is not in the link."),
            min_length=SHORTEST,
            max_length=LONGEST,
            strip=False,
            widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        )
    }
    questions = {
        "password": forms.CharField(
            label=gettext_lazy("Password"),
            max_length=LONGEST,
            strip=False,
            widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
        )
    }
    heading = gettext_lazy("This page has a password")
    explanation = gettext_lazy("The person who sent you the link knows it.")
    wrong = gettext_lazy("This password does not open the page.")

    def stored(self, cleaned: Mapping[str, Any], previous: Mapping[str, Any]) -> dict[str, Any]:
        return {"hash": make_password(cleaned["password"])}

    def may_open(self, share: Share, reader: User | AnonymousUser) -> bool:
        return True

    def is_right(self, share: Share, answers: Mapping[str, Any]) -> bool:
        """Takes as long for a link whose hash is missing as for a wrong password; neither opens the page."""
        return check_password(answers["password"], share.options.get("hash") or make_password(None))
