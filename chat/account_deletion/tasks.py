"""Celery tasks of account deletion."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from chat.account_deletion import services


@shared_task(name=services.DELETE_TASK)
def delete_account(pk: str) -> None:
    services.run_job(UUID(pk))


@shared_task(name="jobs.finish_departure")
def finish_departure(pk: str) -> None:
    """Runs a job that a release before 0.2 queued under this name."""
    services.run_job(UUID(pk))


@shared_task(name="jobs.run_account_deletions")
def run_account_deletions() -> None:
    """Called by beat (grokweb/celery.py)."""
    services.run_pending_jobs()
