"""Names the query parameters by which a list in the admin may be filtered.

Django allows every lookup on a field that a list shows: `__regex`, which on SQLite runs Python's `re` while
no other thread can work, and `__startswith`, which tells what is stored letter by letter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import flatten_fieldsets, get_fields_from_path
from django.core.exceptions import FieldDoesNotExist
from django.db.models import DateField, Field
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest

PARTS_OF_A_DATE = ("year", "month", "day")
BOUNDS = ("gte", "lt")  # what Django's filter by date and the date hierarchy ask for


def allowed_parameters(model_admin: ModelAdmin[Any], request: HttpRequest) -> set[str]:
    """Returns every parameter that a link on the list may have, and exact values of what the pages show."""
    return {
        "pk",
        *_by_shown_fields(model_admin, request),
        *_by_filters(model_admin, request),
        *_by_date(model_admin.date_hierarchy),
    }


def _by_shown_fields(model_admin: ModelAdmin[Any], request: HttpRequest) -> Iterator[str]:
    shown = [
        model_admin.opts.pk.name,
        *model_admin.get_list_display(request),
        *flatten_fieldsets(model_admin.get_fieldsets(request)),
    ]
    for name in shown:
        try:
            field = model_admin.opts.get_field(str(name))
        except FieldDoesNotExist:  # a method or a property: nothing the database can be asked for
            continue
        yield from _exact(field.name, field)


def _by_filters(model_admin: ModelAdmin[Any], request: HttpRequest) -> Iterator[str]:
    for each in model_admin.get_list_filter(request):
        path: Any = each[0] if isinstance(each, (list, tuple)) else each
        if not isinstance(path, str):  # a filter of its own kind, with a parameter of its own
            yield str(getattr(path, "parameter_name", ""))
            continue
        field = get_fields_from_path(model_admin.model, path)[-1]
        yield from _exact(path, field)
        yield f"{path}__isempty"
        if isinstance(field, DateField):
            yield from (f"{path}__{bound}" for bound in BOUNDS)


def _by_date(path: str | None) -> Iterator[str]:
    if path:
        yield from (f"{path}__{part}" for part in (*PARTS_OF_A_DATE, *BOUNDS))


def _exact(path: str, field: Any) -> Iterator[str]:
    yield from (path, f"{path}__exact", f"{path}__isnull")
    if getattr(field, "is_relation", False):
        target = getattr(field, "target_field", None)
        names = {"id", "pk", *([target.name] if isinstance(target, Field) else [])}
        yield from (LOOKUP_SEP.join((path, name, "exact")) for name in names)
