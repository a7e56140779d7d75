"""Celery's settings for web side and model workers (rule 6): JSON only, early acknowledgement, no results.

A worker of either side ignores SIGHUP, and goes on after acknowledgements that Redis did not get.
"""

from __future__ import annotations

import signal
from typing import Any

from celery import Celery, bootsteps, signals
from redis.exceptions import ConnectionError as RedisConnectionError

from inference import settings

LOST_SECONDS = 1.0  # between two looks for acknowledgements that were lost


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


def notice_lost_acknowledgements(app: Celery) -> None:
    """Adds LostAcknowledgements to the workers of an application."""
    app.steps["consumer"].add(LostAcknowledgements)


class LostAcknowledgements(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no types
    """Connects a worker again after acknowledgements that Redis did not get.

    kombu counts such a message as one whose task may still begin, and takes no other while it has as many of
    them as the worker has threads. It does not read its connection then either, so it learns nothing of a
    Redis that went away, and the worker would wait for ever.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)
    timer: Any = None

    def start(self, consumer: Any) -> None:
        self.timer = consumer.timer.call_repeatedly(LOST_SECONDS, self.check, (consumer,))

    def stop(self, consumer: Any) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def check(self, consumer: Any) -> None:
        """Raises redis.ConnectionError, for which Celery connects again and forgets these messages.

        A message waits for its acknowledgement only while its task is among those that the worker holds.
        """
        # Loads the worker, which a web process does not need.
        from celery.worker.state import reserved_requests

        qos = consumer.task_consumer.channel.qos
        room = qos.can_consume_max_estimate()
        if room is not None and qos.prefetch_count - room > len(reserved_requests):
            raise RedisConnectionError("acknowledgements of tasks were lost")
