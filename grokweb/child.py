"""`python child.py PARENT COMMAND…`: becomes COMMAND, bound to die with its parent. Standard library only.

Used by grokweb/supervisor.py and grokweb/redis_server.py. On Linux the kernel ends the process when the
thread that started it ends, whatever the reason (PR_SET_PDEATHSIG outlives exec); elsewhere guardian.py does.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, by: int = signal.SIGKILL) -> None:
    """Ask the kernel to send `by` to this process once `parent` is gone."""
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
