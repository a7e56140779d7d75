"""Lets one `manage.py up` at a time use a data directory. Standard library only."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

LOCK_SECONDS = 5.0  # how long a new `up` waits for the reaper of a killed one


class StartError(Exception):
    """Stops the start. Nothing was left running; the message is one line for the operator."""


def take_lock(data: Path, run: Path) -> IO[str]:
    """Locks a data directory and writes this process's id into the lock. Raises StartError if it is used."""
    run.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = (run / "up.pid").open("a+")
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip()
            if is_alive(holder) or time.monotonic() > deadline:
                lock.close()
                raise StartError(
                    f"GrokWeb already runs in {data} (process {holder or '?'}): stop it, or set GROKWEB_DATA"
                ) from None
            time.sleep(0.05)
        else:
            with suppress(OSError):  # the lock works without the number in it
                os.ftruncate(lock.fileno(), 0)
                os.write(lock.fileno(), f"{os.getpid()}\n".encode())
            return lock


def is_alive(pid: str) -> bool:
    """Returns whether a process with this id exists."""
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
