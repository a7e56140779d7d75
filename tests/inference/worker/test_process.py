"""Tests which modules a model worker's process has loaded, started as `manage.py up` starts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.grokweb.service import Service, eventually

# Python imports `sitecustomize` at the start of every process. In the model worker it waits for a file named
# `ask` and then writes the names of all loaded modules beside it.
PROBE = """
import os, sys, threading, time
from pathlib import Path

def answer(folder):
    while not (folder / "ask").exists():
        time.sleep(0.05)
    loaded = [name for name, module in list(sys.modules.items()) if module]
    (folder / "part").write_text("\\n".join(loaded))
    (folder / "part").rename(folder / "modules")

if "inference.worker" in Path("/proc/self/cmdline").read_text().split("\\0"):
    threading.Thread(target=answer, args=(Path(__file__).parent,), daemon=True).start()
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    (tmp_path / "sitecustomize.py").write_text(PROBE)
    service = Service(tmp_path, PYTHONPATH=str(tmp_path), GROKWEB_MODEL="").with_tables()  # the demo model
    try:
        yield service.start().wait_until_ready()
    finally:
        service.close()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_a_model_worker_loads_no_django(service: Service, tmp_path: Path) -> None:
    (tmp_path / "ask").touch()
    eventually((tmp_path / "modules").exists, "the model worker names its modules")
    loaded = (tmp_path / "modules").read_text().split()
    assert {"torch", "inference.worker.writer", "inference.base.logs"} <= set(loaded)
    not_for_workers = {"django", "channels", "grokweb", "chat"}
    assert [name for name in loaded if name.split(".")[0] in not_for_workers] == []
