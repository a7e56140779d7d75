"""Defines the project's own Celery tasks, on queue `jobs`."""

from __future__ import annotations

from celery import shared_task

from grokweb import erasure


@shared_task(name=erasure.SWEEP_TASK)
def sweep_traces() -> None:
    """Runs the sweep; beat calls it (grokweb/celery.py)."""
    erasure.sweep()
