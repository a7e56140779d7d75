"""One line a log record, of every process. Prompts and answers never reach a logger: tests look for them.

What is worth searching for goes into `extra`, under the same names everywhere: generation, model, worker,
attempt, and the figures of a reply.
"""

from __future__ import annotations

import re
from typing import Any

import structlog

# Who has the link has the page: its token is a secret, and it stands in addresses, which are logged.
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


def line_formatter(style: str = "json", **_: Any) -> structlog.stdlib.ProcessorFormatter:
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            RENDERERS[style],
            mask_shared,
        ],
    )
