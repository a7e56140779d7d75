"""Defines the only Celery task of a model worker, on queue `model.<slug>`."""

from __future__ import annotations

from inference.contract import SERVE_TASK
from inference.worker.celery_app import app, runtime


@app.task(name=SERVE_TASK)
def serve() -> None:
    """Handles a ticket, which says that a reply waits for this model."""
    runtime().serve()
