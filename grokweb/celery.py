"""Sets up Celery for the web side: queue `chat` (short tasks, rule 14), queue `tools` (calls of tools), queue
`jobs` (all others).

The model workers have an app of their own, without Django: inference/worker/celery_app.py.
"""

from __future__ import annotations

import logging
import os
import time
from typing import Any, ClassVar

from celery import Celery, Task, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "grokweb.settings")

from django.conf import settings

from inference.base.exit_status import on_invalid_setting

with on_invalid_setting():
    _ = settings.DATA_DIR  # reads all of them

from inference.base.logs import catch_what_python_prints
from inference.contract import CHAT_QUEUE, JOBS_QUEUE, TOOLS_QUEUE
from inference.wire.broker import COMMON, notice_lost_acknowledgements

logger = logging.getLogger("grokweb.tasks")

SAID_AGAIN_SECONDS = 30.0  # between two log lines: reconcile runs every two seconds


@signals.setup_logging.connect
def _leave_logging_alone(**_: Any) -> None:
    """Keeps Django's logging. Without a receiver here Celery sets the root logger to its own level."""
    catch_what_python_prints()


class WaitingTask(Task):  # type: ignore[misc]  # celery has no types
    """Logs one line instead of a traceback when a disk is full or read-only.

    Nothing is lost: reconcile and the sweeps repeat what was not done, as after a crash.
    """

    abstract = True
    said: ClassVar[dict[str, float]] = {}  # when each task, by name, was last logged

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from chat.core import storage  # needs the applications, which load this module

        try:
            return super().__call__(*args, **kwargs)
        except Exception as error:
            if not storage.is_storage_trouble(error):
                raise
            if time.monotonic() - WaitingTask.said.get(self.name, float("-inf")) > SAID_AGAIN_SECONDS:
                WaitingTask.said[self.name] = time.monotonic()
                logger.warning("%s waits, the disk is full or read-only: %s", self.name, type(error).__name__)
            return None


# Celery's fixup for Django makes it the default app of every thread: `chat` sends with celery.current_app.
app = Celery("grokweb", broker=settings.REDIS_URL, task_cls=WaitingTask)
app.conf.update(
    COMMON,
    task_default_queue=CHAT_QUEUE,
    task_routes={
        "jobs.*": {"queue": JOBS_QUEUE},
        "chat.*": {"queue": CHAT_QUEUE},
        "tools.*": {"queue": TOOLS_QUEUE},
    },
    beat_schedule={
        "reconcile": {
            "task": "chat.reconcile",
            "schedule": settings.RECONCILE_SECONDS,
            "options": {"queue": CHAT_QUEUE, "expires": settings.RECONCILE_SECONDS},
        },
        "purge": {
            "task": "jobs.purge",
            "schedule": 300.0,
            "options": {"queue": JOBS_QUEUE, "expires": 300},
        },
        "sweep sessions": {
            "task": "jobs.sweep_sessions",
            "schedule": 3600.0,
            "options": {"queue": JOBS_QUEUE, "expires": 3600},
        },
        "sweep push devices": {
            "task": "jobs.sweep_push_devices",
            "schedule": 3600.0,
            "options": {"queue": JOBS_QUEUE, "expires": 3600},
        },
        "account deletions": {
            "task": "jobs.run_account_deletions",
            "schedule": 60.0,
            "options": {"queue": JOBS_QUEUE, "expires": 60},
        },
        "sweep traces": {
            "task": "jobs.sweep_traces",
            "schedule": min(60.0, settings.ERASURE_SECONDS),
            "options": {"queue": JOBS_QUEUE, "expires": 60},
        },
        "backup": {
            "task": "jobs.start_due_backup",
            "schedule": settings.BACKUP_CHECK_SECONDS,
            "options": {"queue": JOBS_QUEUE, "expires": settings.BACKUP_CHECK_SECONDS},
        },
        "sweep files": {
            "task": "jobs.sweep_files",
            "schedule": 60.0,
            "options": {"queue": JOBS_QUEUE, "expires": 60},
        },
        "sweep stored files": {
            "task": "jobs.sweep_stored_files",
            "schedule": 3600.0,
            "options": {"queue": JOBS_QUEUE, "expires": 3600},
        },
    },
)
notice_lost_acknowledgements(app)
app.autodiscover_tasks()
