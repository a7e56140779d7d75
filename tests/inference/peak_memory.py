"""Measures, in a process of its own, how much memory loading takes at most."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The kernel's peak since the last reset. Pages of mapped files count as long as they are mapped.
MEASURE = """
import sys
from pathlib import Path
{setup}

def resident(key):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

folder = Path(sys.argv[1])
Path("/proc/self/clear_refs").write_text("5")
before = resident("VmRSS")
loaded = {load}
print(resident("VmHWM") - before)
"""


def peak_of(setup: str, load: str, folder: Path) -> int:
    """Returns the bytes by which evaluating `load` raised the memory in use, at its highest. It may use
    `folder` and what `setup` imports, whose memory does not count."""
    command = [sys.executable, "-c", MEASURE.format(setup=setup, load=load), str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1])
