"""The Celery doorway of the model workers, on queue `model.<slug>`."""

from __future__ import annotations

from inference import worker
from inference.contract import SERVE_TASK


@worker.app.task(name=SERVE_TASK)
def serve() -> None:
    """A ticket: somebody waits for this model."""
    worker.runtime().serve()
