"""Counts settled replies in Redis, and reads the counts (inference/wire/metrics.py)."""

from __future__ import annotations

import logging

import redis

from chat.turns import redis_client
from inference.wire import metrics

logger = logging.getLogger("grokweb.turns")


def count_reply(model: str, status: str, times: metrics.Times) -> None:
    """Counts a settled reply in the histograms. An unreachable Redis must not make it look unsettled."""
    try:
        metrics.count_reply(redis_client.client(), model, status, times)
    except redis.RedisError as error:
        logger.warning("a reply is missing in the metrics: %s", error)


def replies(model: str) -> metrics.Replies:
    return metrics.replies(redis_client.client(), model)
