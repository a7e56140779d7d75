"""Imports of the small release in tests/data/grok1, in this process or in one that may be killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from inference.xai_import.importer import SHARD_BYTES, Import, run
from inference.xai_import.progress import Progress
from tests.inference.release_pickles import CKPT, CONSTANTS, ROOT

TOKENIZER = ROOT / "inference" / "demo" / "model" / "tokenizer.model"
SEVERAL = 1_000_000  # bytes of a shard: the reference becomes four of them in int8
GO = """
import json, sys
from pathlib import Path
from inference.xai_import.importer import Import, run
from inference.xai_import.progress import Progress
{before}
source, target, dtype, constants, most = sys.argv[1:]
run(Import(Path(source), Path(target), dtype, json.loads(constants), shard_bytes=int(most)), Progress())
{after}
"""
DIE_AT = """
import os, signal
sync, left = os.fsync, {left}
def dying(number):
    global left
    sync(number)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = dying
"""
# Not ru_maxrss: that begins with what the process held which started this one.
PEAK = "print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"


def imported(target: Path, dtype: str = "int8", shard_bytes: int = SHARD_BYTES, **more: Any) -> Path:
    run(Import(CKPT, target, dtype, CONSTANTS, shard_bytes=shard_bytes, **more), Progress())
    return target


def tensors(folder: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for shard in sorted(folder.glob("*.safetensors")):
        found |= load_file(shard)
    return found


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def start(
    source: Path,
    target: Path,
    constants: dict[str, Any],
    most: int,
    dtype: str = "int8",
    before: str = "",
    after: str = "",
) -> subprocess.Popen[str]:
    code = GO.format(before=before, after=after)
    arguments = [str(source), str(target), dtype, json.dumps(constants), str(most)]
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
