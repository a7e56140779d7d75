"""Starts a model worker without Django: `python -m inference.worker -Q model.<slug> --concurrency <slots>`.

Further arguments are those of Celery's worker. `celery -A inference.worker.celery_app worker` starts the same
worker, but where Django is installed kombu loads some of its modules first.
"""

from __future__ import annotations

import sys

from inference.base.exit_status import on_invalid_setting

LEAN = ["--pool", "threads", "--without-gossip", "--without-mingle", "--without-heartbeat"]


def main(arguments: list[str]) -> None:
    # kombu/utils/json.py imports Django's lazy strings if it can. Nothing in this process may import Django.
    sys.modules["django"] = None  # type: ignore[assignment]
    with on_invalid_setting():
        from inference.worker.celery_app import app

    app.worker_main(["--quiet", "worker", *LEAN, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
