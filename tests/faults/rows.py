"""Reads from outside, with plain SQL, what a service has stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg

REPLIES = """
    SELECT g.id, g.status, g.attempt, g.strikes, g.reason, g.error, g.completion_tokens, g.run, m.text
    FROM turns_generation g JOIN conversations_message m ON m.id = g.message_id
"""
LIVE = "SELECT COUNT(*) FROM turns_generation WHERE status IN ('queued', 'running', 'calling')"
UNSETTLED = "SELECT COUNT(*) FROM quotas_usageentry WHERE settled_at IS NULL"
RESERVED = "SELECT COALESCE(SUM(reserved), 0) FROM quotas_usagecounter"
USED = "SELECT COALESCE(SUM(prompt_tokens + completion_tokens), 0) FROM quotas_usageentry"
CHARGED_FOR_FAILURES = """
    SELECT COALESCE(SUM(e.prompt_tokens + e.completion_tokens), 0)
    FROM quotas_usageentry e JOIN turns_generation g ON g.id = e.generation WHERE g.status = 'failed'
"""
COUNTED = "SELECT COALESCE(SUM(used), 0) FROM quotas_usagecounter"

OPEN_TRANSACTIONS = """
    SELECT COUNT(*) FROM pg_stat_activity
    WHERE datname = CURRENT_DATABASE() AND state LIKE 'idle in transaction%'
"""


class Rows:
    def __init__(self, url: str) -> None:
        self.url = url

    def select(self, sql: str) -> list[tuple[Any, ...]]:
        if self.url.startswith("sqlite"):
            path = self.url.removeprefix("sqlite:///")
            lite = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)
            try:
                return lite.execute(sql).fetchall()
            finally:
                lite.close()
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql).fetchall()

    def has_model(self, slug: str) -> bool:
        return (slug,) in self.select("SELECT slug FROM model_cards_modelcard")

    def make_default(self, slug: str) -> None:
        """As an administrator does it: new conversations are with this model."""
        self.execute(f"UPDATE model_cards_modelcard SET is_default = (slug = '{slug}')")

    def execute(self, sql: str) -> None:
        """Changes the database behind the service's back."""
        if self.url.startswith("sqlite"):
            lite = sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=20)
            with lite:
                lite.execute(sql)
            lite.close()
            return
        with psycopg.connect(self.url) as connection:
            connection.execute(sql)

    def can_be_written(self) -> bool:
        """Returns whether no process holds SQLite's only write lock, or rows of PostgreSQL."""
        if not self.url.startswith("sqlite"):
            return self.one(OPEN_TRANSACTIONS) == 0
        lite = sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=0.2, isolation_level=None)
        try:
            lite.execute("BEGIN IMMEDIATE")
            lite.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
        finally:
            lite.close()
        return True

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds SQLite's write lock for the length of the block."""
        lite = sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=20, isolation_level=None)
        lite.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            lite.execute("ROLLBACK")
            lite.close()

    def one(self, sql: str) -> int:
        return int(self.select(sql)[0][0])

    def replies(self) -> dict[str, dict[str, Any]]:
        """By generation id."""
        names = ("status", "attempt", "strikes", "reason", "error", "tokens", "run", "text")
        return {str(UUID(str(pk))): dict(zip(names, rest, strict=True)) for pk, *rest in self.select(REPLIES)}
