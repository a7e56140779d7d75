"""Holds the index: one entry per title and per settled message, written by triggers only (index.py)."""

from __future__ import annotations

from django.db import models


class Entry(models.Model):
    """Stores an indexed title or message. Its words are in the FTS5 table `search_words` of SQLite, or in a
    column `words` of this table on PostgreSQL.

    There are no foreign keys: the triggers remove entries, and Django's own cascade would fetch them first.
    """

    id = models.BigIntegerField(primary_key=True)  # milliseconds since 1970 << 20, so that newer means higher
    owner_id = models.UUIDField()
    conversation_id = models.UUIDField(db_index=True)
    message_id = models.UUIDField(null=True, unique=True)  # null: the title

    class Meta:
        indexes = [models.Index(fields=["owner_id", "message_id", "-id"], name="search_newest")]

    def __str__(self) -> str:
        return f"entry {self.pk}"
