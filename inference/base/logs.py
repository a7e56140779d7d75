"""Formats each log record of every process as one line. No text of a user reaches a line; tests check it.

Fields worth searching for go into `extra`, under the same names everywhere: generation, model, worker,
attempt, and the metrics of a reply. inference/base/log_privacy.py removes values from records.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from typing import Any

from inference.base.hidden_modules import hidden

with hidden("rich", "twisted"):  # structlog would load them for output that nobody asks for: 0.1 s of a start
    import structlog

from inference.base.log_privacy import private

logger = logging.getLogger("grokweb.process")

# The token of a share link is a secret. Records hold no addresses; this masks one that our code might log.
SHARED = re.compile(r"(/s(?:hare)?/)[\w-]{16,}")


def celery_level(level: str) -> str:
    """Returns Celery's log level: at INFO it logs several lines per task, and reconcile runs every 2 s."""
    return "WARNING" if level == "INFO" else level


def mask_shared(_logger: Any, _name: str, line: Any) -> str:
    return SHARED.sub(r"\1…", line)


RENDERERS: dict[str, Any] = {
    "json": structlog.processors.JSONRenderer(ensure_ascii=False),
    "logfmt": structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "logger", "event"]),
}


class LineFormatter(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return super().format(private(record))


def line_formatter(style: str = "json", **_: Any) -> LineFormatter:
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    return LineFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            RENDERERS[style],
            mask_shared,
        ],
    )


def catch_what_python_prints() -> None:
    """Turns warnings, and exceptions that end a thread or a finalizer, into records."""
    logging.captureWarnings(True)
    threading.excepthook = _thread_failed
    sys.unraisablehook = _finalizer_failed


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
        name = failed.thread.name if failed.thread else "?"
        about = (failed.exc_type, failed.exc_value, failed.exc_traceback)
        logger.error("a thread ended with an error", exc_info=about, extra={"thread_name": name})


def _finalizer_failed(failed: sys.UnraisableHookArgs) -> None:
    if failed.exc_value is not None:
        about = (failed.exc_type, failed.exc_value, failed.exc_traceback)
        logger.error("a finalizer failed", exc_info=about)
