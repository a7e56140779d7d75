"""Lists the migrations of the code by file name, without loading them."""

from __future__ import annotations

import pkgutil
from functools import cache
from pathlib import Path


@cache
def known() -> frozenset[tuple[str, str]]:
    """Returns (app label, migration) for all installed applications."""
    from django.apps import apps

    found = set()
    for config in apps.get_app_configs():
        folder = Path(config.path) / "migrations"
        if (folder / "__init__.py").exists():
            found |= {
                (config.label, module.name)
                for module in pkgutil.iter_modules([str(folder)])
                if module.name[0] not in "_~"
            }
    return frozenset(found)
