"""Maps names of extensions to dotted paths, loaded on first use. Standard library only, for both layers.

    POLICIES = Registry("grokweb.share_policies", {"anyone": "chat.sharing.policies.anyone.Anyone"}, noun="…")
    POLICIES.load("anyone")   # the class
    POLICIES.loaded()         # {name: class} of all that load, in a fixed order

A distribution adds entries through entry points of the registry's group (docs/extending.md). The lines of
the table come first, in their order; entry points follow, sorted by name. A broken extension is named in the
log and by `problems()`, and the other entries work on.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module, metadata
from typing import Any, Generic, TypeVar

log = logging.getLogger(__name__)

Entry = TypeVar("Entry")


class RegistryError(ValueError):
    """An entry cannot be used. The message names the entry and says what to do."""


class UnknownEntry(RegistryError, KeyError):
    """No entry has this name."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show its repr


class DuplicateEntry(RegistryError):
    """Two distributions offer an entry of the same name, so neither is used."""


class BrokenEntry(RegistryError):
    """The code behind an entry cannot be imported, or lacks attributes that an entry must have."""


class Registry(Generic[Entry]):
    """Holds the entries of one kind. `noun` names the kind in messages; each entry must have `required`, and
    not as an abstract method alone."""

    def __init__(
        self, group: str, table: Mapping[str, str], *, noun: str, required: Sequence[str] = ()
    ) -> None:
        self.group, self.table, self.noun = group, dict(table), noun
        self.required = tuple(required)
        self._loaded: dict[str, Entry] = {}
        self._broken: dict[str, BrokenEntry] = {}

    def names(self) -> list[str]:
        """Returns every usable name, whether or not its code has been loaded yet."""
        return [*self.table, *self._offered]

    def __contains__(self, name: object) -> bool:
        return name in self.table or name in self._offered

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def load(self, name: str) -> Entry:
        """Returns the entry; raises UnknownEntry, DuplicateEntry or BrokenEntry."""
        if name in self._loaded:
            return self._loaded[name]
        if name in self._broken:
            raise self._broken[name]
        try:
            self._loaded[name] = self._checked(name, self._imported(name))
        except BrokenEntry as error:
            self._broken[name] = error
            log.error("%s", error)
            raise
        return self._loaded[name]

    def loaded(self) -> dict[str, Entry]:
        """Returns all entries that load, by name. Those that do not are logged, once, and left out."""
        found = {}
        for name in self.names():
            try:
                found[name] = self.load(name)
            except BrokenEntry:
                continue
        return found

    def problems(self) -> list[str]:
        """Loads everything and returns one sentence for each entry that cannot be used."""
        self.loaded()
        duplicates = [str(self._duplicate(name)) for name in self._refused]
        return [*duplicates, *(str(error) for error in self._broken.values())]

    def reload(self) -> None:
        """Reads the entry points again, as after a package was installed while this process runs."""
        entry_points.cache_clear()
        for name in ("_points", "_offered", "_refused"):
            self.__dict__.pop(name, None)
        self._loaded.clear()
        self._broken.clear()

    # --- What distributions offer -------------------------------------------------------------------------

    @functools.cached_property
    def _points(self) -> dict[str, list[metadata.EntryPoint]]:
        points: dict[str, list[metadata.EntryPoint]] = {}
        for point in sorted(entry_points(self.group), key=lambda each: (each.name, _source(each))):
            if point.value not in [each.value for each in points.get(point.name, [])]:  # installed twice
                points.setdefault(point.name, []).append(point)
        return points

    @functools.cached_property
    def _offered(self) -> dict[str, str]:
        """Names that only one distribution offers. The table's own names cannot be taken over."""
        return {name: points[0].value for name, points in self._points.items() if name not in self._refused}

    @functools.cached_property
    def _refused(self) -> list[str]:
        refused = [name for name, points in self._points.items() if name in self.table or len(points) > 1]
        for name in refused:
            log.error("%s", self._duplicate(name))
        return refused

    def _duplicate(self, name: str) -> DuplicateEntry:
        sources = [_source(point) for point in self._points.get(name, [])]
        if name in self.table:
            return DuplicateEntry(
                f"{self.noun} {name!r} is built in, so the one of {', '.join(sources)} is not used: rename it"
            )
        return DuplicateEntry(
            f"{self.noun} {name!r} is offered by {' and '.join(sources)}, so neither is used: uninstall one"
        )

    # --- Loading ------------------------------------------------------------------------------------------

    def _imported(self, name: str) -> Any:
        value = self.table.get(name) or self._offered.get(name)
        if value is None:
            if name in self._points:
                raise self._duplicate(name)
            known = ", ".join(self.names())
            raise UnknownEntry(f"there is no {self.noun} {name!r}; there are: {known}")
        module, _, attributes = value.partition(":") if ":" in value else value.rpartition(".")
        try:
            return functools.reduce(getattr, attributes.split("."), import_module(module))
        except Exception as error:
            raise self._cannot(name, f"{type(error).__name__}: {error}") from error

    def _checked(self, name: str, entry: Any) -> Entry:
        abstract = getattr(entry, "__abstractmethods__", ())
        missing = [name for name in self.required if name in abstract or not hasattr(entry, name)]
        if missing:
            raise self._cannot(name, f"it has no {', '.join(missing)}")
        found: Entry = entry
        return found

    def _cannot(self, name: str, reason: str) -> BrokenEntry:
        value = self.table.get(name) or self._offered.get(name)
        return BrokenEntry(f"{self.noun} {name!r} ({value}) cannot be loaded: {reason}")


@functools.cache
def entry_points(group: str) -> tuple[metadata.EntryPoint, ...]:
    """Returns what installed distributions offer to a group. Reads the metadata of all, so once a process."""
    return tuple(metadata.entry_points(group=group))


def _source(point: metadata.EntryPoint) -> str:
    return f"{point.dist.name} ({point.value})" if point.dist else point.value
