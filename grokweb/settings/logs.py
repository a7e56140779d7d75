"""Configures logs: one line a record, never a prompt or an answer."""

from __future__ import annotations

from inference import settings as live
from inference.base.logs import celery_level

LOG_LEVEL = live.LOG_LEVEL
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "inference.base.logs.line_formatter", "style": live.LOG_FORMAT}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django.server": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "celery": {"level": celery_level(LOG_LEVEL)},
    },
}
