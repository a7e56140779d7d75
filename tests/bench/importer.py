"""Import beside plain copying: the same synthetic release, on the same disk, alternating rounds.

Both end with every file on the disk: the copy is shutil.copyfile and a sync of each file, the import syncs
its own and then reads all of it back for its check. Memory is that of the whole process with its interpreter.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inference.xai_import.constants import Sizes
from inference.xai_import.layout import source_files
from tests.bench.report import ROOT, Figure, figure
from tests.inference.release_pickles import write_release

ROUNDS = 5
# 0.8 GB in 26 files; experts of 1,536 x 8,192, a quarter of the release's each way
CONSTANTS = {
    "emb_size": 1536,
    "num_layers": 2,
    "num_q_heads": 12,
    "num_kv_heads": 2,
    "vocab_size": 32_768,
}
# VmHWM, not ru_maxrss: that begins with what the process held which started this one.
IMPORT = """
import json, sys, time
from pathlib import Path
from inference.xai_import.importer import Import, run
from inference.xai_import.progress import Progress
job = Import(Path(sys.argv[1]), Path(sys.argv[2]), "int8", json.loads(sys.argv[3]))
begun = time.perf_counter()
run(job, Progress())
print(time.perf_counter() - begun)
print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def copy(source: Path, target: Path) -> float:
    """Seconds to copy every file and bring it to the disk."""
    begun = time.perf_counter()
    target.mkdir()
    for file in sorted(source.iterdir()):
        shutil.copyfile(file, target / file.name)
        with (target / file.name).open("rb") as copied:
            os.fsync(copied.fileno())
    return time.perf_counter() - begun


def import_it(source: Path, target: Path) -> tuple[float, float]:
    """Seconds, and the bytes of memory that the process held at most."""
    line = [sys.executable, "-c", IMPORT, str(source), str(target), json.dumps(CONSTANTS)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, peak = done.stdout.split()
    return float(seconds), int(peak) * 1024


@contextmanager
def emptied(target: Path) -> Iterator[Path]:
    try:
        yield target
    finally:
        shutil.rmtree(target, ignore_errors=True)
        os.sync()  # the next round waits for nothing of this one


def run() -> list[Figure]:
    sizes = Sizes.of(CONSTANTS)
    largest = max(file.payload for file in source_files(sizes))
    copies, imports, peaks = [], [], []
    build = ROOT / "build"  # a disk; /tmp may be memory
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build) as folder:
        source = write_release(Path(folder), CONSTANTS)
        gigabytes = sum(file.stat().st_size for file in source.iterdir()) / 1e9
        for number in range(ROUNDS):
            for kind in ("copy", "import") if number % 2 else ("import", "copy"):
                with emptied(Path(folder) / "out") as target:
                    if kind == "copy":
                        copies.append(gigabytes / copy(source, target))
                    else:
                        seconds, peak = import_it(source, target)
                        imports.append(gigabytes / seconds)
                        peaks.append(peak / 1e6)
    return [
        figure(
            f"import of {gigabytes:.2f} GB as int8, checked, beside copying it (both synced)",
            imports,
            "GB/s",
            better="higher",
            against=copies,
            floor=0.3,
            aim=0.6,
        ),
        figure(
            "import memory beside the largest tensor",
            peaks,
            "MB",
            against=[largest / 1e6] * ROUNDS,
            floor=3.0,
            aim=1.0,
        ),
    ]
