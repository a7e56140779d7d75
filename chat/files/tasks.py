"""Celery tasks of files, on queue `jobs`."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from chat.files import deleting, read_jobs


@shared_task(name=read_jobs.READ_TASK)
def read_file(pk: str) -> None:
    read_jobs.read(UUID(pk))


@shared_task(name="jobs.sweep_files")
def sweep_files() -> None:
    """Repeats lost reading tasks and deletes unsent files; beat calls it (grokweb/celery.py)."""
    deleting.delete_unsent()
    read_jobs.repeat_lost()


@shared_task(name="jobs.sweep_stored_files")
def sweep_stored_files() -> None:
    """Deletes bytes without a row; beat calls it less often, because it lists every stored file."""
    deleting.sweep_storage()
