"""Celery doorways of the project itself, on queue `jobs`."""

from __future__ import annotations

from celery import shared_task

from grokweb import traces


@shared_task(name=traces.SWEEP_TASK)
def sweep_traces() -> None:
    """From beat (grokweb/celery.py)."""
    traces.sweep()
