"""Checks what `models.toml` names, without loading a model: for `manage.py models`, `up` and the doctor."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from inference import settings as live
from inference.base.model_list.entries import FILE_NAME, Entry, ModelList, model_of
from inference.engines import describe_model
from inference.engines.entry import ModelAbout


def is_configured() -> bool:
    """Returns whether GROKWEB_MODEL is set."""
    return bool(os.environ.get("GROKWEB_MODEL"))


def source_for(entry: Entry) -> str:
    return model_of(entry, demo=live.DEMO_MODEL, data=live.DATA_DIR)


def describe_source(source: str) -> ModelAbout:
    """Raises ValueError, with what to do, for a source that cannot be served."""
    return describe_model(source)


def problems_of(models: ModelList, environment: Mapping[str, str]) -> Iterator[str]:
    """Yields one line for each problem of the file and of what it names."""
    yield from models.problems
    for entry in models.entries.values():
        yield from problems_of_entry(entry, environment)
    if is_configured() and models.entries:
        try:
            slug = describe_model(live.MODEL).slug
        except ValueError as error:
            yield f"GROKWEB_MODEL={live.MODEL}: {error}"
            return
        if slug in models.entries:
            yield f"{FILE_NAME}: [{slug}] GROKWEB_MODEL serves this model already: remove one of them"


def problems_of_entry(entry: Entry, environment: Mapping[str, str]) -> Iterator[str]:
    try:
        describe_source(source_for(entry))
    except ValueError as error:
        yield f"{FILE_NAME}: [{entry.slug}] source: {error}"
    if words := _problem_of_key(entry.key, environment):
        yield f"{FILE_NAME}: [{entry.slug}] key: {words}"


def _problem_of_key(key: str, environment: Mapping[str, str]) -> str:
    if not key:
        return ""
    if not key.startswith("/"):
        return "" if environment.get(key) else f"{key} is not in the environment: set it, or name a file"
    try:
        text = Path(key).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        return f"{key}: {getattr(error, 'strerror', None) or 'it is not text'}"
    return "" if text else f"{key} is empty: write the key into it"
