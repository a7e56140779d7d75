"""Defines the project's own Celery tasks, on queue `jobs`."""

from __future__ import annotations

from celery import shared_task

from grokweb import erasure
from grokweb.backup import scheduled


@shared_task(name=erasure.SWEEP_TASK)
def sweep_traces() -> None:
    """Runs the sweep; beat calls it (grokweb/celery.py)."""
    erasure.sweep()


@shared_task(name=scheduled.TASK)
def start_due_backup() -> None:
    """Starts the process of a scheduled backup if one is due; beat calls it (grokweb/celery.py)."""
    scheduled.start_if_due()
