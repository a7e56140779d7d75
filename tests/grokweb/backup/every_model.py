"""Fills every table with at least one row, for tests that must leave nothing out.

`python -m tests.grokweb.backup.every_model` fills the database of its environment.
"""

from __future__ import annotations

import itertools
import os
import secrets
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, models, transaction

# U+0000 is not among them: see `with_nul`. The time has microseconds that do not end in zeros.
MOMENT = datetime(2025, 3, 4, 5, 6, 7, 123457, tzinfo=UTC)
WORDS = "Ünïcode \U0001f980 \\u0000 'quoted' \"double\" %s {} \n second line"
JSON = {"b": [1, 2.5, True, None, "é\u2028"], "a": {"nested": {"deep": 1e20, "big": 2**60}}, "": []}
_numbers = itertools.count(secrets.randbelow(2**30))  # another run adds other rows


def all_models() -> list[type[models.Model]]:
    from django.apps import apps

    found = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
    return [found[table] for table in sorted(found)]


def fill() -> None:
    """Adds rows until each table has at least one."""
    for model in all_models():
        if model._meta.db_table == "search_entry" or model._meta.proxy:
            continue  # the triggers write it
        if model._base_manager.exists() and model._meta.app_label in {"contenttypes", "auth"}:
            continue
        if model._meta.label == "core.StaffAction":
            _chain()
        else:
            _make(model)


def _chain() -> None:
    from chat.core import audit

    for number in range(3):
        audit.record(None, "tested", f"row:{number}", words=WORDS, number=number)


def _make(model: type[models.Model]) -> models.Model:
    """Fills all fields; if a constraint allows only one of several references, the first that it accepts."""
    fields = [
        field for field in model._meta.concrete_fields
        if not (field.primary_key and isinstance(field, models.AutoField))
    ]  # fmt: skip
    values = {field.attname: _value(field) for field in fields}
    optional = [field.attname for field in fields if isinstance(field, models.ForeignKey) and field.null]
    for emptied in [[], *([name] for name in optional), optional]:
        row = model(**{**values, **dict.fromkeys(emptied)})
        try:
            with transaction.atomic():
                row.save_base(force_insert=True, raw=True)  # as given: no defaults of save()
        except IntegrityError as error:
            if "CHECK" not in str(error) and "check constraint" not in str(error):
                raise
        else:
            return row
    raise AssertionError(f"{model}: no row fits its constraints")


def _value(field: Any) -> Any:
    if isinstance(field, models.ForeignKey):
        return _related(field)
    if field.choices:
        return field.flatchoices[0][0]
    number = next(_numbers)
    kinds: list[tuple[type, Any]] = [
        (models.BooleanField, True),
        (models.UUIDField, uuid.UUID(int=number)),
        (models.DateTimeField, MOMENT),
        (models.DateField, date(2025, 3, 4)),
        (models.JSONField, JSON),
        (models.DecimalField, Decimal("1.25")),
        (models.FloatField, 0.1 + 0.2),
        (models.BinaryField, bytes(range(256))),
        (models.GenericIPAddressField, "2001:db8::1"),
        (models.EmailField, f"person{number}@example.org"),
        (models.SlugField, f"slug-{number}"),
        (models.SmallIntegerField, number % 30_000),
        (models.IntegerField, number),
    ]
    for kind, value in kinds:
        if isinstance(field, kind):
            return value
    assert isinstance(field, models.CharField | models.TextField), f"{field}: teach every_model.py this kind"
    text = f"{number} {WORDS}"
    return text[: field.max_length] if field.max_length else text * 50


def _related(field: Any) -> Any:
    target = field.remote_field.model
    if field.null and target is field.model:
        return None
    unique = (
        field.unique
        or any(
            field.name in constraint.fields
            for constraint in field.model._meta.constraints
            if isinstance(constraint, models.UniqueConstraint)
        )
        or any(field.name in fields for fields in field.model._meta.unique_together)
    )
    row = None if unique else target._base_manager.first()
    return (row or _make(target)).pk


def with_nul() -> None:
    """Returns a text that SQLite accepts and PostgreSQL does not."""
    from chat.conversations.models import Message

    row = Message._base_manager.first()
    assert row is not None
    Message._base_manager.filter(pk=row.pk).update(text="before\x00after")


if __name__ == "__main__":
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "grokweb.settings"
    django.setup()
    fill()
