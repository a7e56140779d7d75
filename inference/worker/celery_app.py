"""The Celery application of a model worker: one process, one engine, one model. No database, no Django.

    python -m inference.worker -Q model.<slug> --concurrency <slots>

Exit codes: 78 the model cannot be used (one line says why), 70 the engine hangs or failed again and again
(the supervisor starts a new process).
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from celery import Celery, signals

from inference import settings
from inference.base import exit_status
from inference.base.lines import english, line_of
from inference.base.logs import catch_what_python_prints, celery_level, line_formatter
from inference.base.model_list import state
from inference.contract import CHAT_QUEUE, SERVE_TASK, model_queue
from inference.engines import load_engine
from inference.engines.base import Engine
from inference.wire import scripts
from inference.wire.broker import COMMON, notice_lost_acknowledgements
from inference.wire.outbound_counts import count_outbound
from inference.worker.fetching import fetch_configured_model, withdraw_failed_fetch
from inference.worker.runtime import Runtime

logger = logging.getLogger("grokweb.worker")

# Without fixups: `up` passes DJANGO_SETTINGS_MODULE on, and Celery's fixup for Django would load it all.
# Not as the current app, with which `chat` sends: a test loads both. A worker makes it current itself.
app = Celery("grokweb-model", broker=settings.REDIS_URL, fixups=(), set_as_current=False)
app.conf.update(COMMON, include=["inference.worker.tasks"], task_default_queue="model")
notice_lost_acknowledgements(app)


def _engine_of_settings() -> Engine:
    fetch_configured_model()
    engine = load_engine(
        settings.MODEL,
        slots=settings.SLOTS,
        threads=settings.THREADS,
        cache_bytes=settings.CACHE_MB * 2**20,
        context=settings.CONTEXT,
    )
    withdraw_failed_fetch(settings.MODEL_SLUG or engine.slug)
    return engine


make_engine: Callable[[], Engine] = (
    _engine_of_settings  # worker/ranks.py puts one over several processes here
)
_runtime: Runtime | None = None


def runtime() -> Runtime:
    if _runtime is None:
        raise RuntimeError("this is not a model worker")
    return _runtime


def _publish(task: str, args: list[Any]) -> None:
    app.send_task(task, args=args, queue=CHAT_QUEUE, retry=False)


def _wake(slug: str) -> None:
    """Sends a ticket, for whichever worker of this model is free to take it."""
    app.send_task(SERVE_TASK, queue=model_queue(slug), expires=60)


@signals.setup_logging.connect
def log_to_stderr(**_: Any) -> None:
    """Replaces Celery's logging setup, which would set the root logger to Celery's level."""
    handler = logging.StreamHandler()
    handler.setFormatter(line_formatter(settings.LOG_FORMAT))
    logging.basicConfig(level=settings.LOG_LEVEL, handlers=[handler])
    logging.getLogger("celery").setLevel(celery_level(settings.LOG_LEVEL))
    catch_what_python_prints()


def tell_refusal(error: ValueError) -> None:
    """Prints in one line why the model cannot be used, and keeps the same for `manage.py up`."""
    line = english("model: %(why)s", why=line_of(error))
    if settings.MODEL_SLUG:
        with suppress(OSError):  # it is for the translation alone; `up` also reads what is printed
            state.note_refusal(settings.RUN_DIR, settings.MODEL_SLUG, line)
    print(line, file=sys.stderr, flush=True)  # noqa: T201


@signals.worker_init.connect
def _load(**_: Any) -> None:
    global _runtime
    log_to_stderr()
    count_outbound(scripts.connect)
    try:
        engine = make_engine()
        engine.slug = settings.MODEL_SLUG or engine.slug
    except ValueError as error:  # ModelUnusable is one: a person can act on its line
        tell_refusal(error)
        os._exit(exit_status.MODEL_UNUSABLE)
    except Exception:
        # A Celery signal swallows exceptions; a worker without an engine must not look alive.
        logger.exception("the engine did not start")
        os._exit(exit_status.ENGINE_FAILED)
    _runtime = Runtime(engine, _publish, partial(_wake, engine.slug))


@signals.worker_ready.connect
def _start(**_: Any) -> None:
    runtime().start()


@signals.worker_shutting_down.connect
def _stop(**_: Any) -> None:
    runtime().begin_stop()


@signals.worker_shutdown.connect
def _leave(**_: Any) -> None:
    """Waits, after the slots have ended, until finished replies are published."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and not runtime().writer.idle:
        time.sleep(0.02)
    runtime().close()
