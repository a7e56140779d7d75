"""The site of the admin, and the rules that apply to all of its pages, whoever registered them.

Addresses and forms are written by people, so a wrong one is answered with 400, here and in one place: Django
parses parameters in many places, and answers some mistakes with 500.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR, SEARCH_VAR, ChangeList, ChangeListSearchForm
from django.core.exceptions import FieldError, SuspiciousOperation, ValidationError
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse
from django.urls import URLPattern, URLResolver
from django.utils.text import smart_split
from django.utils.translation import gettext as _

from chat.core import admin_lookups
from chat.core.context import SITE_NAME
from chat.core.errors import BadInput

log = logging.getLogger(__name__)

# Django's own ways past a page and its audit: the names of what may only be listed on record, and the
# addresses of what staff may not open (a shared link's is the key to it). No page here needs them.
CLOSED = {"autocomplete", "view_on_site"}

SEARCH_LENGTH, SEARCH_WORDS = 200, 10  # each word is compared with each field of each row
PARAMETERS, PARAMETER_LENGTH = 50, 4000  # of an address; the longest is `_changelist_filters`

# What code that parses raises, about what it was given.
UNFIT = (ValueError, TypeError, OverflowError, FieldError, ValidationError, DataError, SuspiciousOperation)


class SearchForm(ChangeListSearchForm):
    """Refuses searches that would cost much; the list then says why, and shows everything."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[SEARCH_VAR].widget.attrs["maxlength"] = SEARCH_LENGTH

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        asked = data.get(SEARCH_VAR) or ""
        if len(asked) > SEARCH_LENGTH or len(list(smart_split(asked))) > SEARCH_WORDS:
            words = _("A search has at most %(words)d words and %(length)d characters.")
            raise ValidationError(
                {SEARCH_VAR: words % {"words": SEARCH_WORDS, "length": SEARCH_LENGTH}}, code="too_long"
            )
        return data


class BoundedList(ChangeList):
    search_form_class = SearchForm

    def get_ordering(self, request: HttpRequest, queryset: Any) -> Any:
        """Uses each column once: databases refuse a statement with thousands of terms."""
        asked = dict.fromkeys(self.params.get(ORDER_VAR, "").split("."))
        self.params[ORDER_VAR] = ".".join(list(asked)[: len(self.list_display)])
        return super().get_ordering(request, queryset)


class PageAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Holds the rules of every admin page; the site adds them to pages of other packages."""

    view_on_site = False  # the doors of the site are their owners', not staff's

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allows only the lookups that are named, whatever a list shows."""
        named = lookup in admin_lookups.allowed_parameters(self, request)
        return named and super().lookup_allowed(lookup, value, request)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BoundedList


class Site(admin.AdminSite):
    """Django's admin with this service's log-in and rules."""

    site_header = site_title = SITE_NAME

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        # The same rate limits and second factor as everywhere.
        self.login = secure_admin_login(self.login)  # type: ignore[method-assign]
        self.disable_action("delete_selected")  # nothing is deleted in bulk, past the checks of its page

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Applies our rules to pages of other packages too."""
        made = admin_class or PageAdmin
        if not issubclass(made, PageAdmin):
            made = type(made.__name__, (PageAdmin, made), {"__module__": made.__module__})
        super().register(model_or_iterable, made, **options)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [each for each in super().get_urls() if getattr(each, "name", None) not in CLOSED]

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        return super().admin_view(_refusing_what_does_not_fit(view), cacheable)


def _refusing_what_does_not_fit(view: Callable[..., Any]) -> Callable[..., Any]:
    """Answers 400 where a view, or the template it renders, fails over what it was asked."""

    @wraps(view)
    def careful(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        _check_address(request)
        try:
            response: HttpResponse = view(request, *args, **kwargs)
            if isinstance(response, SimpleTemplateResponse):
                response.render()  # lists read their rows, and dates, no earlier
        except UNFIT as error:
            if not (request.GET or request.method == "POST" or args or kwargs):
                raise  # it was asked nothing, so the fault is ours
            log.warning("an admin page refused a request: %s", _described(error))
            raise _unfit() from None
        return response

    return careful


def _check_address(request: HttpRequest) -> None:
    values = [(name, value) for name, given in request.GET.lists() for value in given]
    text = [part for pair in values for part in pair]
    if len(values) > PARAMETERS or any("\0" in part or len(part) > PARAMETER_LENGTH for part in text):
        raise _unfit()


def _unfit() -> BadInput:
    return BadInput(_("This address, or what was sent to it, does not fit the page. Go back and try again."))


def _described(error: BaseException) -> str:
    """Returns kind and place of an error, without its words, which may quote what somebody typed."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else "?"
    return f"{type(error).__name__} at {where}"
