"""Brings weights into the page cache while the modules that will read them are imported.

Importing torch and transformers takes seconds in which the disk would have nothing to do.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

from inference.model_dir.admission import free_memory

log = logging.getLogger(__name__)

AT_ONCE = 64 * 2**20  # bytes a call; between calls the thread waits for the interpreter's lock
SHARE = 0.5  # of the free memory: of larger files the first pages would leave before they are needed


def read_ahead(files: Sequence[Path]) -> Thread | None:
    """Starts to read files; returns the thread, or None where they are too large for the free memory."""
    free = free_memory()
    if free is None or sum(file.stat().st_size for file in files) > SHARE * free:
        return None
    thread = Thread(target=_read, args=(tuple(files),), name="read-ahead", daemon=True)
    thread.start()
    return thread


def _read(files: Sequence[Path]) -> None:
    """Sends the files to the null device, which copies nothing. Failing costs time later, nothing else."""
    failed: list[Exception] = []
    with open(os.devnull, "wb") as nowhere:
        for file in files:
            try:
                with file.open("rb") as data:
                    place = 0
                    while sent := os.sendfile(nowhere.fileno(), data.fileno(), place, AT_ONCE):
                        place += sent
            except (OSError, AttributeError) as error:  # sendfile only serves sockets, or there is none
                failed.append(error)
    if failed:
        log.info("%d of %d files are not read ahead: %s", len(failed), len(files), failed[-1])
