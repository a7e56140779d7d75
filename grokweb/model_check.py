"""Checks what `models.toml` names, without loading a model: for `manage.py models` and the doctor.

Models on servers are asked for one token; what runs here is looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from inference import settings as live
from inference.base.lines import english, line_of
from inference.base.model_list.entries import FILE_NAME, Entry, ModelList, model_of
from inference.engines import ask_model, describe_model
from inference.engines.entry import Asked, ModelAbout


def is_configured() -> bool:
    """Returns whether GROKWEB_MODEL is set."""
    return bool(os.environ.get("GROKWEB_MODEL"))


def source_for(entry: Entry) -> str:
    return model_of(entry, demo=live.DEMO_MODEL, data=live.DATA_DIR)


def describe_source(source: str) -> ModelAbout:
    """Raises ValueError, with what to do, for a source that cannot be served."""
    return describe_model(source)


def problems_of(models: ModelList, environment: Mapping[str, str], *, asks: bool = True) -> Iterator[str]:
    """Yields one line for each problem of the file and of what it names.

    `asks`: models on servers are asked; otherwise nothing is connected to, and keys in variables are not
    looked for, because only `up` has them.
    """
    yield from models.problems
    for entry in models.entries.values():
        yield from ask_entry(entry, environment).problems if asks else _problems_seen(entry)
    if is_configured():
        try:
            slug = describe_model(live.MODEL).slug
            problems = ask_model(live.MODEL).problems if asks else ()
        except ValueError as error:
            yield _of_setting(line_of(error))
            return
        yield from map(_of_setting, problems)
        if slug in models.entries:
            yield english(
                "%(file)s: [%(slug)s] GROKWEB_MODEL serves this model already: remove one of them",
                file=FILE_NAME,
                slug=slug,
            )


def _of_setting(words: str) -> str:
    return english("%(setting)s: %(why)s", setting=f"GROKWEB_MODEL={live.MODEL}", why=words)


def ask_entry(entry: Entry, environment: Mapping[str, str], secret: str = "") -> Asked:
    """Returns one line for each problem of an entry, found by looking at its model or asking its servers.

    `secret`: the key of its servers, where the entry does not name one yet.
    """
    source = source_for(entry)
    try:
        describe_source(source)
    except ValueError as error:
        return _wrong(entry, "source", error)
    try:
        asked = ask_model(source, secret or _key_of(entry, environment))
    except ValueError as error:
        return _wrong(entry, "key", error)
    return replace(asked, problems=tuple(_of_field(entry, "source", words) for words in asked.problems))


def _problems_seen(entry: Entry) -> tuple[str, ...]:
    name = "source"
    try:
        describe_source(source_for(entry))
        name = "key"
        if entry.key.startswith("/"):
            _key_of(entry, {})
    except ValueError as error:
        return _wrong(entry, name, error).problems
    return ()


def _wrong(entry: Entry, name: str, error: ValueError) -> Asked:
    return Asked((_of_field(entry, name, line_of(error)),), is_usable=False)


def _of_field(entry: Entry, name: str, words: str) -> str:
    return english(
        "%(file)s: [%(slug)s] %(field)s: %(why)s", file=FILE_NAME, slug=entry.slug, field=name, why=words
    )


def _key_of(entry: Entry, environment: Mapping[str, str]) -> str:
    """Returns the key of an entry's servers, "" for none. Raises ValueError, never with the key."""
    key = entry.key
    if not key:
        return ""
    if not key.startswith("/"):
        if not environment.get(key):
            raise ValueError(english("%(name)s is not in the environment: set it, or name a file", name=key))
        return environment[key]
    try:
        text = Path(key).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or english("it is not text")
        raise ValueError(english("%(file)s: %(why)s", file=key, why=why)) from None
    if not text:
        raise ValueError(english("%(file)s is empty: write the key into it", file=key))
    return text
