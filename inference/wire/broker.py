"""Celery's settings for web side and model workers (rule 6): JSON only, early acknowledgement, no results.

A worker of either side ignores SIGHUP.
"""

from __future__ import annotations

import signal
from typing import Any

from celery import signals

from inference import settings


@signals.celeryd_after_setup.connect
def ignore_hangup(instance: Any, **_: Any) -> None:
    """Ignores SIGHUP, as the whole service does; without a terminal Celery would restart itself."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    instance._isatty = True  # asked once after this, before Celery installs its handler


COMMON: dict[str, Any] = {
    "task_serializer": "json",
    "accept_content": ["json"],
    "result_serializer": "json",
    "task_ignore_result": True,
    "task_store_errors_even_if_ignored": False,
    "task_acks_late": False,
    "worker_prefetch_multiplier": 1,
    "worker_hijack_root_logger": False,
    "worker_enable_remote_control": False,
    "worker_send_task_events": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_soft_shutdown_timeout": 0,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    # Redis refuses writes (MISCONF) while it cannot write its file: a worker waits, as for a lost connection.
    "broker_channel_error_retry": True,
    "broker_transport_options": {
        "global_keyprefix": f"{settings.REDIS_PREFIX}:celery:",
        "socket_keepalive": True,
    },
    "timezone": "UTC",
}
