"""Celery tasks of notifications, on queue `jobs`."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from chat.push import notifying, services


@shared_task(name=notifying.NOTIFY_TASK)
def notify(generation_id: str) -> None:
    notifying.notify(UUID(generation_id))


@shared_task(name=notifying.AGAIN_TASK)
def notify_again(device: int, generation_id: str, tries: int) -> None:
    notifying.notify_again(device, UUID(generation_id), tries)


@shared_task(name="jobs.sweep_push_devices")
def sweep_push_devices() -> None:
    """Called by beat (grokweb/celery.py)."""
    services.sweep()
