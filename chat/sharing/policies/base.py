"""Defines the interface of share policies. The base class admits nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib.auth.models import AnonymousUser
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from chat.accounts.models import User
from chat.core.extensions import Extension

if TYPE_CHECKING:
    from chat.sharing.models import Share


class Policy(Extension):
    """Decides who may open a shared page. `fields` are what its owner sets when the link is made.

    A policy with `questions` asks its reader for something before it lets them in: chat/sharing/views.py
    shows the form, limits the attempts, and remembers a right answer in a signed cookie
    (chat/sharing/access_cookie.py) that ends with any change of the share's options.
    """

    login_helps: ClassVar[bool] = False  # whether an anonymous reader is sent to the login page
    questions: ClassVar[Mapping[str, forms.Field]] = {}
    heading: ClassVar[str | Promise] = _("This page asks you something first")
    explanation: ClassVar[str | Promise] = ""
    wrong: ClassVar[str | Promise] = _("That is not right.")  # also shown if the answer is missing
    attempts_an_hour: ClassVar[int] = 10  # tries for one page, from one address

    def may_open(self, share: Share, reader: User | AnonymousUser) -> bool:
        """Returns whether this reader may open the page, once any questions are answered."""
        return False

    def is_right(self, share: Share, answers: Mapping[str, Any]) -> bool:
        """Returns whether valid values of `questions` open the page."""
        return False
