"""Says which processes `manage.py up` runs: their commands and their environment.

grokweb/startup.py makes the plan after its checks; grokweb/supervisor.py carries it out.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from inference.base.model_list.entries import ModelList

TOOL_THREADS = "4"


@dataclass(slots=True)
class Plan:
    """Says what to run, where, and for how long a process may fail."""

    data: Path
    run: Path
    bind: str
    port: int
    host: str  # a name the web process answers to
    address: str  # URL that people type
    model_slug: str  # of GROKWEB_MODEL, or of the demo model
    model_name: str
    slots: int
    handover: float
    redis_url: str  # empty: start an embedded server
    is_configured: bool = True  # whether GROKWEB_MODEL is set
    models: ModelList = field(default_factory=ModelList)  # models.toml as it was at the start
    default_name: str = ""  # of the model of new chats; empty: that of GROKWEB_MODEL
    demo: str = ""  # folder of the demo model
    threads: int = 1  # that the models that are computed here share
    tools: bool = False  # whether a process for calls of tools runs: it is one more Django in memory
    without: frozenset[str] = frozenset()
    healthy: float = 30.0  # seconds of life after which a restart is not delayed
    # The web process is restarted when its event loop has not run for `loop_seconds`, or when requests wait
    # and none of its threads has finished anything for `pool_seconds`.
    loop_seconds: float = 20.0
    pool_seconds: float = 120.0
    root: Path = field(default_factory=lambda: Path(__file__).resolve().parent.parent)

    def default_slug(self, models: ModelList) -> str:
        """Returns the slug of the model of new chats: the file's default, GROKWEB_MODEL, the first table."""
        if models.default or self.is_configured:
            return models.default or self.model_slug
        return next(iter(models.entries), self.model_slug)


def commands(plan: Plan) -> dict[str, list[str]]:
    """Returns the command of each process but the model workers (grokweb/model_workers.py).

    Celery's pools are `threads`, so that none has children.

    Beat keeps its times in memory: a full disk cannot break a file that does not exist.
    """
    celery = [sys.executable, "-m", "celery", "--quiet", "-A"]
    lean = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--pool", "threads"]
    tools = [*celery, "grokweb", "worker", "-Q", "tools", "-n", "tools@%h", *lean]
    return {
        "web": [sys.executable, "-m", "grokweb.web"],
        "chat-worker": [*celery, "grokweb", "worker", "-Q", "chat", "-n", "chat@%h", *lean, "--concurrency", "2"],  # noqa: E501
        "beat": [*celery, "grokweb", "beat", "-S", "celery.beat:Scheduler"],
        "jobs-worker": [*celery, "grokweb", "worker", "-Q", "jobs", "-n", "jobs@%h", *lean, "--concurrency", "1"],  # noqa: E501
        **({"tools-worker": [*tools, "--concurrency", TOOL_THREADS]} if plan.tools else {}),
    }  # fmt: skip


def model_command(slug: str, slots: int) -> list[str]:
    """Returns the command of a model's worker."""
    worker = [sys.executable, "-m", "inference.worker", "-Q", f"model.{slug}", "-n", f"model.{slug}@%h"]
    return [*worker, "--concurrency", str(slots)]


def environment(plan: Plan) -> dict[str, str]:
    """Returns the environment of each process. Redis' address follows when it is known."""
    starts = "model-worker" not in plan.without
    path = os.pathsep.join([str(plan.root), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": path,
        "GROKWEB_DATA": str(plan.data),
        # These decide which model new chats get (chat/model_cards/selection.py).
        "GROKWEB_MODEL_SLUG": plan.default_slug(plan.models),
        "GROKWEB_MODEL_WORKER_SINCE": str(int(time.time())) if starts else "0",
    }
