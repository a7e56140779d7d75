"""Operations that several applications' migrations need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import migrations

ACTIONS = ("add", "change", "delete", "view")


def rename_permissions(app_label: str, old: str, new: str, *, was: str, now: str) -> migrations.RunPython:
    """Renames the permissions of a renamed model, so that groups and users keep them.

    Django renames the content type by itself, and would make new permissions beside the old ones. `old` and
    `new` are names of models in lower case, `was` and `now` their verbose names. The migration depends on
    ("auth", "0012_alter_user_first_name_max_length").
    """
    return migrations.RunPython(_renamed(app_label, old, new, now), _renamed(app_label, new, old, was))


def _renamed(app_label: str, before: str, after: str, verbose_name: str) -> Callable[[Any, Any], None]:
    def rename(apps: Any, schema_editor: Any) -> None:
        permissions = apps.get_model("auth", "Permission").objects.using(schema_editor.connection.alias)
        for action in ACTIONS:
            permissions.filter(content_type__app_label=app_label, codename=f"{action}_{before}").update(
                codename=f"{action}_{after}", name=f"Can {action} {verbose_name}"
            )

    return rename
