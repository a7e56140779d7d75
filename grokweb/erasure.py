"""Removes erased text from the files of this machine, not only from the rows.

Redis' append-only file keeps every command until it is rewritten; SQLite's write-ahead log keeps old pages
until they are moved into the file and the log is cut; the search index of SQLite keeps deleted words until
its pieces are merged. `sweep` does all three. Beat runs it every minute (grokweb/celery.py): after an
erasure at once, otherwise every GROKWEB_ERASURE_SECONDS, for data that expire by themselves. docs/security.md
promises the resulting time.

This covers only the embedded Redis and SQLite; operators clean their own servers (docs/operators.md).
"""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection, transaction
from django.db.models.signals import post_delete

from chat.search import index
from grokweb.backup import places, schedule

logger = logging.getLogger("grokweb.erasure")

SWEEP_TASK = "jobs.sweep_traces"
MERGE_SECONDS = 3600  # the index is merged after erasures, and this often for renamed titles and edited texts
MERGE_REST_SECONDS = 240  # but not more often: a large index takes seconds
WAL_WAIT_SECONDS = 1.0


# Flags in the cache. Each is removed before its work begins, so that an erasure meanwhile sets it again.
DUE, RESTED = "traces:due", "traces:rested"
MERGE, MERGED, MERGE_REST = "traces:merge", "traces:merged", "traces:merge-rest"


# --- Asking -----------------------------------------------------------------------------------------------


def watch() -> None:
    """Connects deletions of rows with text to a sweep; `grokweb/apps.py` calls this once."""
    from chat.accounts.models import User
    from chat.conversations.models import Conversation
    from chat.conversations.signals import branch_deleted
    from chat.core.signals import text_erased
    from chat.files.models import File

    for model in (User, Conversation, File):
        post_delete.connect(_after_deletion, sender=model, dispatch_uid=f"traces {model.__name__}")
    for news in (branch_deleted, text_erased):
        news.connect(_after_deletion, dispatch_uid="traces")


def _after_deletion(**_: Any) -> None:
    transaction.on_commit(request, robust=True)


def request() -> None:
    """Requests a sweep within a minute. Without Redis, the periodic one follows a little later."""
    try:
        cache.set_many({DUE: 1, MERGE: 1}, None)
    except redis.RedisError as error:
        logger.warning("an erasure waits for the regular sweep: %s", error)


# --- Sweeping ---------------------------------------------------------------------------------------------


def sweep() -> None:
    """Runs the parts that are due; a part that cannot run now stays due."""
    due = cache.delete(DUE) or RESTED not in cache
    merged = _merge_index()
    if not (due or merged):
        return
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2) as held:
        done = [cut_wal(), rewrite_redis(held)]
    if all(done):
        cache.set(RESTED, 1, settings.ERASURE_SECONDS)
    else:
        cache.set(DUE, 1, None)
    places.sweep(settings.DATA_DIR, places.LINKS, places.COPY)
    schedule.sweep(settings.DATA_DIR)


def _merge_index() -> bool:
    """Returns True if the index was merged now: the overwritten pages are then in the write-ahead log."""
    if connection.vendor != "sqlite" or MERGE_REST in cache:
        return False
    if not cache.delete(MERGE) and MERGED in cache:
        return False
    try:
        index.forget_deleted()
    except DatabaseError:  # for example a full disk: stays due
        cache.set(MERGE, 1, None)
        raise
    cache.set(MERGED, 1, MERGE_SECONDS)
    cache.set(MERGE_REST, 1, min(MERGE_REST_SECONDS, settings.ERASURE_SECONDS))
    return True


def cut_wal() -> bool:
    """Moves SQLite's log into its file and empties it. Returns False if a reader blocked it for too long."""
    if connection.vendor != "sqlite":
        return True
    path = Path(connection.settings_dict["NAME"])
    try:
        with closing(sqlite3.connect(path, timeout=WAL_WAIT_SECONDS, isolation_level=None)) as own:
            own.execute("PRAGMA secure_delete = ON")
            own.execute("PRAGMA wal_checkpoint(PASSIVE)")  # most of the work, while others write on
            busy, _log, _moved = own.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        logger.warning("the write-ahead log stays until the next sweep: %s", error)
        return False
    return not busy


def is_embedded() -> bool:
    """Returns whether Redis is the server that `up` started for this data directory."""
    try:
        return (settings.RUN_DIR / "redis.url").read_text().strip() == settings.REDIS_URL
    except OSError:
        return False


def rewrite_redis(held: redis.Redis) -> bool:
    """Starts a new append-only file with the present data. Returns False if that could not start.

    Redis continues in the background; the next sweep finds out if it failed.
    """
    if not is_embedded():
        return True
    said: Any = held.info("persistence")
    if not said.get("aof_enabled"):
        return True
    if said["aof_rewrite_in_progress"]:  # begun before the erasure, perhaps
        return False
    try:
        held.bgrewriteaof()
    except redis.ResponseError as error:
        logger.warning("Redis' file stays until the next sweep: %s", error)
        return False
    return _is_rewritten(held)


def _is_rewritten(held: redis.Redis, seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        said: Any = held.info("persistence")
        if not said["aof_rewrite_in_progress"] and not said.get("aof_rewrite_scheduled"):
            return bool(said["aof_last_bgrewrite_status"] == "ok")
        time.sleep(0.1)
    return False
