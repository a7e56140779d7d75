"""Recognises full and read-only disks from the errors of the database, Redis and the system.

The edges (middleware.py, views.broken, chat/turns/consumers.py) show `StorageFull`; Celery tasks wait
(grokweb/celery.py); services ask `check_room` before they add much.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

from django.conf import settings
from django.db import Error as DatabaseFault
from django.db import connection, transaction
from redis.exceptions import ReadOnlyError, ResponseError

from chat.core.errors import ChatError, StorageFull
from inference.base import disk_space

# PostgreSQL: disk_full, io_error, read_only_sql_transaction.
SQLSTATES = frozenset({"53100", "58030", "25006"})
# SQLite: the primary code is the low byte. CANTOPEN: no -wal or -shm can be made in a read-only folder.
SQLITE_CODES = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
)
# For a database on a disk that this process cannot look at: a refused write counts as news for this long.
REFUSAL_SECONDS = 15.0
_refused_at = float("-inf")
_thread = threading.local()


def _database_folder() -> tuple[Path, ...]:
    database = settings.DATABASES["default"]
    if database["ENGINE"] != "django.db.backends.sqlite3":
        return ()
    return (Path(unquote(str(database["NAME"]))).parent,)


DISKS = disk_space.of_data(settings.DATA_DIR, *_database_folder())


def is_storage_trouble(error: BaseException) -> bool:
    """Returns whether an exception, or one that caused it, says that a disk is full or read-only."""
    return any(_says_so(each) for each in _chain(error))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _says_so(error: BaseException) -> bool:
    if disk_space.is_unwritable(error):
        return True
    if isinstance(error, ReadOnlyError):
        return True
    if isinstance(error, ResponseError):
        return "MISCONF" in str(error)
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in SQLITE_CODES
    return getattr(error, "sqlstate", None) in SQLSTATES


def translated(error: BaseException) -> StorageFull | None:
    """Returns what people are told of `error`, None if no disk is to blame."""
    if isinstance(error, ChatError) or not is_storage_trouble(error):
        return None
    if any(isinstance(each, DatabaseFault) for each in _chain(error)):
        global _refused_at
        _refused_at = time.monotonic()
    return StorageFull()


def check_room(name: str = "data", size: int = 0) -> None:
    """Raises StorageFull below GROKWEB_DISK_LOW_MB: what is left is for answers under way."""
    seen = DISKS.status(name)
    if seen.state != "ok" or seen.free - size < DISKS.low:
        raise StorageFull


def was_refused() -> bool:
    """Returns whether the database refused a write recently: its disk may be on another machine."""
    return time.monotonic() - _refused_at < REFUSAL_SECONDS


def accepts() -> bool:
    """Returns whether messages can be stored, as far as is known; the pages' banner reads it."""
    return not was_refused() and DISKS.status("data").state == "ok"


def renew_connection() -> None:
    """Closes this thread's connection to SQLite if the disk has recovered since the last call: one that was
    opened while the disk was read-only stays so."""
    DISKS.status("data")
    if getattr(_thread, "recoveries", 0) != DISKS.recoveries:
        _thread.recoveries = DISKS.recoveries
        connection.close()


def write_if_room(write: Callable[[], object]) -> None:
    """Performs an optional write: a full or read-only disk does not fail the request around it."""
    try:
        with transaction.atomic():
            write()
    except (DatabaseFault, OSError) as error:
        if translated(error) is None:
            raise
