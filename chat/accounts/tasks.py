"""Defines the Celery tasks of accounts."""

from __future__ import annotations

from celery import shared_task

from chat.accounts import devices


@shared_task(name="jobs.sweep_sessions")
def sweep_sessions() -> None:
    """Deletes what is left of ended sessions; beat calls it (grokweb/celery.py)."""
    devices.sweep()
