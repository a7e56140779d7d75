"""A model worker that no supervisor watches, as on a GPU host (docs/operators.md)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from grokweb.redis_server import CHILD
from inference.contract import model_queue
from tests.grokweb.service import ROOT, Service


class ModelWorker:
    """Finds the service's Redis through its data directory."""

    def __init__(
        self, service: Service, name: str, *, model: str = "scripted", slug: str = "scripted"
    ) -> None:
        self.slug = slug
        self._name = name
        self._service = service
        self._environment = {**service.environment, "GROKWEB_MODEL": model}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> ModelWorker:
        worker = [sys.executable, "-m", "inference.worker"]
        slots = self._environment.get("GROKWEB_SLOTS", "4")
        which = ["-Q", model_queue(self.slug), "-n", f"{self._name}@%h", "--concurrency", slots]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                # Ends with the tests, however they end.
                [sys.executable, "-I", "-S", CHILD, str(os.getpid()), *worker, *which],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    @property
    def log(self) -> Path:
        return self._service.data / "logs" / f"{self._name}.log"

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def has_ended(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
