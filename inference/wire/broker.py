"""Celery's settings for web side and model workers (rule 6): JSON only, early acknowledgement, no results.

A worker of either side ignores SIGHUP, and learns of a lost Redis while all its threads are busy.
"""

from __future__ import annotations

import signal
import socket
from typing import Any

from celery import Celery, bootsteps, signals
from redis.exceptions import ConnectionError as RedisConnectionError

from inference import settings

LOST_SECONDS = 1.0  # between two looks at a connection that kombu does not read


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


def notice_lost_connections(app: Celery) -> None:
    """Adds LostConnections to the workers of an application."""
    app.steps["consumer"].add(LostConnections)


class LostConnections(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no types
    """Connects a worker again whose Redis went away while every thread had its task.

    kombu does not poll its connection then, so it learns nothing of that. If the acknowledgements of these
    tasks failed too, the worker would believe for ever that it may take no other one.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)
    timer: Any = None

    def start(self, consumer: Any) -> None:
        if hasattr(consumer.task_consumer.channel, "_in_poll"):  # of kombu's Redis transport
            self.timer = consumer.timer.call_repeatedly(LOST_SECONDS, self.check, (consumer,))

    def stop(self, consumer: Any) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def check(self, consumer: Any) -> None:
        """Raises redis.ConnectionError, for which Celery connects again."""
        polled = consumer.task_consumer.channel._in_poll
        if polled and is_closed(getattr(polled, "_sock", None)):
            raise RedisConnectionError("Redis closed the connection while all threads were busy")


def is_closed(connected: socket.socket | None) -> bool:
    """Returns whether the other side has closed the connection; reads nothing from it."""
    if connected is None:
        return False
    try:
        return connected.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
