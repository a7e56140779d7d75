"""One line a log record, of every process. What people write never reaches a line: tests look for it.

What is worth searching for goes into `extra`, under the same names everywhere: generation, model, worker,
attempt, and the figures of a reply. What is left out of a record is in grokweb/logprivacy.py.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from typing import Any

import structlog

from grokweb.logprivacy import private

logger = logging.getLogger("grokweb.process")

# Who has the link has the page: its token is a secret, and it stands in addresses. Records hold no addresses;
# this catches one that code of ours might put there.
SHARED = re.compile(r"(/s(?:hare)?/)[\w-]{16,}")


def celery_level(level: str) -> str:
    """At INFO Celery has several lines for each task, and reconcile is one every two seconds."""
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
    """Warnings, and exceptions that end a thread or a finalizer, become records instead of text on stderr."""
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
