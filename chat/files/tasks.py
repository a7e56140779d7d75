"""Celery tasks of files, on queue `jobs`."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from chat.files import services


@shared_task(name=services.READ_TASK)
def read_file(pk: str) -> None:
    services.read(UUID(pk))


@shared_task(name="jobs.sweep_files")
def sweep_files() -> None:
    """Called by beat (grokweb/celery.py)."""
    services.sweep()


@shared_task(name="jobs.sweep_stored_files")
def sweep_stored_files() -> None:
    """Called by beat less often: it lists every stored file."""
    services.sweep_storage()
