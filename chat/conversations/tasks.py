"""Celery doorways of conversations."""

from __future__ import annotations

from celery import shared_task

from chat.conversations import services


@shared_task(name="jobs.purge")
def purge() -> None:
    """From beat (grokweb/celery.py)."""
    services.expire()
    services.purge()
