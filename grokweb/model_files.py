"""Says what still uses the folder of a model that was fetched by name, before it is deleted."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from django.conf import settings

from grokweb import model_check
from inference.base.model_list.entries import FILE_NAME, Entry, ModelList, model_of
from inference.hub.names import MODELS, SCHEME, parse_name
from inference.model_dir.headers import ModelUnusable


def used_by(source: str, models: ModelList) -> str:
    """Returns what uses the files of `source` (hf:owner/name), in words; "" for nothing.

    A table that cannot be read may name the model, so it counts as a user of all.
    """
    folder = (MODELS / parse_name(source).folder).resolve()
    if model_check.is_configured() and _folder_of(Entry("of-settings", settings.MODEL)) == folder:
        return "GROKWEB_MODEL"
    for entry in models.entries.values():
        if _folder_of(entry) == folder:
            return f"[{entry.slug}] in {FILE_NAME}"
    if models.wrong:
        return f"[{min(models.wrong)}] in {FILE_NAME}, which cannot be read, perhaps"
    return ""


def _folder_of(entry: Entry) -> Path | None:
    """Returns the folder that a table names, itself or by the name of a model; None for a server."""
    if entry.is_remote:
        return None
    with suppress(ModelUnusable, OSError):
        if entry.source.startswith(SCHEME):
            return (MODELS / parse_name(entry.source).folder).resolve()
        return Path(model_of(entry, demo="", data=settings.DATA_DIR)).resolve()
    return None
