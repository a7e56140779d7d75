"""`python guardian.py FD`: ends what a killed supervisor leaves. Standard library only.

The supervisor writes `+pid` and `-pid` lines for each process group it starts and reaps. When the pipe ends,
because the supervisor is gone in whatever way, every group still listed is killed. The guardian also inherits
the lock on the data directory, so that a new `up` waits until nothing of the old one is left.
"""

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
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


if __name__ == "__main__":
    guard(int(sys.argv[1]))
