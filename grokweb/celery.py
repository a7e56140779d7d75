"""Celery for the web side: queue `chat` (short, the live path) and queue `jobs` (everything else), rule 14.

The model workers have an app of their own, without Django: inference/worker.py.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "grokweb.settings")

from django.conf import settings

from grokweb.logs import catch_what_python_prints
from inference.broker import COMMON
from inference.contract import CHAT_QUEUE, JOBS_QUEUE


@signals.setup_logging.connect
def _leave_logging_alone(**_: Any) -> None:
    """Django has set it up. Without a receiver here Celery sets the root logger to its own level."""
    catch_what_python_prints()


app = Celery("grokweb", broker=settings.REDIS_URL)
app.conf.update(
    COMMON,
    task_default_queue=CHAT_QUEUE,
    task_routes={"jobs.*": {"queue": JOBS_QUEUE}, "chat.*": {"queue": CHAT_QUEUE}},
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
        "sweep departures": {
            "task": "jobs.sweep_departures",
            "schedule": 60.0,
            "options": {"queue": JOBS_QUEUE, "expires": 60},
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
app.autodiscover_tasks()
