"""Celery doorways of conversations."""

from __future__ import annotations

from celery import shared_task

from chat.conversations import services


@shared_task(name="jobs.purge")  # type: ignore[untyped-decorator]
def purge() -> None:
    """From beat (grokweb/celery.py)."""
    services.purge()
