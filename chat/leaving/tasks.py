"""Celery doorways of leaving."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from chat.leaving import services


@shared_task(name=services.FINISH_TASK)
def finish_departure(pk: str) -> None:
    services.finish(UUID(pk))


@shared_task(name="jobs.sweep_departures")
def sweep_departures() -> None:
    """From beat (grokweb/celery.py)."""
    services.sweep()
