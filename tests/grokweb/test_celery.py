"""Tests how `chat`, which does not import `grokweb`, sends tasks with the app of grokweb/celery.py."""

from __future__ import annotations

import json
from threading import Thread
from uuid import uuid4

import redis

import inference.worker.celery_app  # noqa: F401 - a second app in this process must not take over
from chat.files.read_jobs import READ_TASK, ask_to_read
from inference.contract import JOBS_QUEUE
from inference.settings import REDIS_PREFIX


def test_a_task_sent_in_any_thread_goes_to_the_queue_that_this_service_routes_it_to(
    redis_client: redis.Redis,
) -> None:
    ask_to_read(uuid4())
    thread = Thread(target=ask_to_read, args=(uuid4(),))
    thread.start()
    thread.join()
    queued = redis_client.lrange(f"{REDIS_PREFIX}:celery:{JOBS_QUEUE}", 0, -1)
    assert [json.loads(each)["headers"]["task"] for each in queued] == [READ_TASK] * 2
