"""`python die_with_parent.py PARENT COMMAND…` becomes COMMAND, which ends when its parent does.

Standard library only. Used by processes.py and redis_server.py. On Linux the kernel ends the process
when the thread that started it ends, for any reason (PR_SET_PDEATHSIG survives exec); elsewhere reaper.py
does.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, by: int = signal.SIGKILL) -> None:
    """Makes the kernel send signal `by` to this process when `parent` has ended."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, by, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the call
        os.kill(os.getpid(), by)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    try:
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.exit(f"{sys.argv[2]}: {error.strerror}")
