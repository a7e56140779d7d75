"""Celery tasks of conversations."""

from __future__ import annotations

from celery import shared_task

from chat.conversations.lifecycle import delete_expired
from chat.conversations.purge import purge_deleted


@shared_task(name="jobs.purge")
def purge() -> None:
    """Deletes expired temporary conversations and removes deleted ones. Beat runs it (grokweb/celery.py)."""
    delete_expired()
    purge_deleted()
