"""`python reaper.py FD` ends the processes that a killed supervisor leaves. Standard library only.

The supervisor writes `+pid` and `-pid` lines for each process group it starts and reaps. When the pipe ends,
because the supervisor has ended for any reason, every group still listed is killed. The reaper also inherits
the lock of the data directory, so that a new `up` waits until nothing of the old one is left.
"""

import contextlib
import os
import signal
import sys


def guard(pipe: int) -> None:
    for quiet in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(quiet, signal.SIG_IGN)
    groups: set[int] = set()
    with os.fdopen(pipe) as lines:
        for line in lines:
            if not line.endswith("\n"):
                break  # cut in the middle by the supervisor's death
            (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    guard(int(sys.argv[1]))
