"""Lists the search back ends. To add a back end: a class, a line here, its tests.

A distribution adds one by an entry point of the group `grokweb.search_backends` (docs/extending.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.utils.functional import Promise

from inference.base.registry import Registry

Row = tuple[int, UUID, UUID | None]  # number, conversation, message; a higher number is newer


class Backend:
    """Describes an index, which database triggers or the back end itself maintain."""

    label: ClassVar[str | Promise] = ""
    create: ClassVar[Sequence[str]] = ()  # SQL statements that create the triggers after each migration
    drop: ClassVar[Sequence[str]] = ()  # SQL statements that drop them before it

    def connect(self, connection: Any) -> None:
        """Prepares a new connection to the database, as with functions that triggers call."""

    def rows(
        self, cursor: Any, owner: UUID, kind: str, terms: Sequence[str], below: int, limit: int
    ) -> list[Row]:
        """Returns one person's newest entries that hold a word beginning with each of `terms`.

        `kind`: "t" titles, "m" messages. `below`: only entries of lower numbers.
        """
        raise NotImplementedError

    def forget_deleted(self, using: str) -> None:
        """Removes words of deleted texts from the index's files, where the database does not."""


BACKENDS: Registry[type[Backend]] = Registry(
    "grokweb.search_backends",
    {
        "sqlite": "chat.search.index_sqlite.Sqlite",
        "postgresql": "chat.search.index_postgresql.Postgresql",
    },
    noun="search back end",
    required=("label", "create", "drop", "connect", "rows", "forget_deleted"),
)


def backend_for(connection: Any) -> Backend:
    """Returns the back end that GROKWEB_SEARCH names, else the database's own; raises RegistryError."""
    return BACKENDS.load(settings.SEARCH_BACKEND or connection.vendor)()


def row_of(number: int, conversation: Any, message: Any) -> Row:
    """Returns a row of the database: SQLite has no UUIDs."""
    return number, UUID(str(conversation)), UUID(str(message)) if message else None
