"""Whether a model folder may be opened here: does its manifest vouch for it, and do its weights fit.

Both are asked before any weight is read. Weights are used where they lie in the file, as a memory map, if
their dtype fits. bfloat16 is the exception: a processor computes in float32 about as fast or faster, and with
less rounding, so a small model is converted.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

from inference import manifest
from inference.headers import BYTES
from inference.modelfiles import ModelFiles, ModelUnusable, describe

log = logging.getLogger(__name__)

# Beside the weights and the cache: the interpreter, torch, and room to work.
OVERHEAD_BYTES = 300 * 2**20
# bfloat16 weights are held in float32 up to this size, and in place, as bfloat16, beyond.
SMALL_BYTES = 2**30
# Rows that only keep beginnings: looking through more would take longer than they save.
MOST_KEPT = 256
# Inputs that share a scale where the native step has the embedding in int8 for the logits.
HEAD_BLOCK = 64


def admit(
    path: Path, slots: int, dtype: str = "", free: int | None = None, *, packed: bool = False
) -> ModelFiles:
    """The folder, once it is whole, fits in memory and is what its manifest says; else ModelUnusable.

    `free`: bytes free where the weights go; this machine's memory if not given. `packed`: see needed_bytes.
    """
    files = describe(path)
    ensure_memory(files, slots, free, dtype, packed=packed)
    vouch(files)
    return files


def vouch(files: ModelFiles) -> None:
    """Hold every file against the manifest; without one, say in the log that nothing vouches for them."""
    needed = ["config.json", files.tokenizer, *(shard.name for shard in files.shards)]
    try:
        if not manifest.check(files.path, needed):
            log.warning("%s has no %s: nothing vouches for its weights", files.path, manifest.NAME)
    except manifest.ManifestMismatch as error:
        raise ModelUnusable(str(error)) from error


def serving_dtype(files: ModelFiles) -> str:
    """What floats are held, cached and computed in on a CPU: "float32" or "bfloat16".

    Of an int8 folder this is the embedding's; the int8 matrices stay what they are.
    """
    floats = {dtype: size for dtype, size in files.stored.items() if dtype in ("BF16", "F16", "F32", "F64")}
    as_float32 = sum(4 * size // BYTES[dtype] for dtype, size in floats.items())
    mostly = max(floats, key=lambda dtype: floats[dtype], default="F32")
    return "bfloat16" if mostly == "BF16" and as_float32 > SMALL_BYTES else "float32"


def needed_bytes(files: ModelFiles, slots: int, dtype: str = "", *, packed: bool = False) -> int:
    """Weights as they are served, a cache of `slots` whole contexts, and what any worker takes.

    `packed`: as the native step has them, bfloat16 in its two bytes and the cache in float32; of an int8
    folder the embedding once more in int8, which processors with VNNI make the logits with.
    """
    short = not packed and (dtype or serving_dtype(files)) == "bfloat16"
    size = BYTES["BF16" if short else "F32"]
    kept = {"I8", "BF16"} if packed else {"I8"}
    weights = sum(
        stored if kind in kept else stored // BYTES[kind] * size for kind, stored in files.stored.items()
    )
    if packed and "I8" in files.stored:
        floats = sum(size // BYTES[kind] for kind, size in files.stored.items() if kind != "I8")
        weights += floats + 4 * floats // HEAD_BLOCK
    return weights + slots * files.context * files.cached_numbers * size + OVERHEAD_BYTES


def rows_of(
    files: ModelFiles, slots: int, budget: int, free: int | None = None, *, packed: bool = False
) -> int:
    """Rows of the cache: one a slot, and those that `budget` bytes give to keep beginnings of conversations.

    Fewer where memory is short: a kept beginning saves time, a slot is needed.
    """
    free = free_memory() if free is None else free
    base = needed_bytes(files, slots, packed=packed)
    each = needed_bytes(files, 1, packed=packed) - needed_bytes(files, 0, packed=packed)
    left = budget if free is None else min(budget, free - base)
    return slots + min(MOST_KEPT, max(0, left) // each)


def ensure_memory(
    files: ModelFiles, slots: int, free: int | None = None, dtype: str = "", *, packed: bool = False
) -> None:
    """Refuse before loading what this machine cannot hold. (Not in `describe`: the web host holds none.)"""
    free = free_memory() if free is None else free
    needed = needed_bytes(files, slots, dtype, packed=packed)
    if free is not None and needed > free:
        cache = needed - needed_bytes(files, 0, dtype, packed=packed)
        raise ModelUnusable(
            f"not enough memory for {files.name}: needs {_gb(needed)} GB ({_gb(cache)} GB of it to remember "
            f"{slots} conversations), {_gb(free)} GB free"
        )


def free_memory() -> int | None:
    """Bytes a new process may use: the machine's, or this container's if less; None if nobody says."""
    bounds = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                bounds.append(int(line.split()[1]) * 1024)
    except (OSError, ValueError):
        pass
    try:
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            reclaimable = re.search(
                r"^inactive_file (\d+)$", (group / "memory.stat").read_text(), re.MULTILINE
            )
            used = int((group / "memory.current").read_text()) - (int(reclaimable[1]) if reclaimable else 0)
            bounds.append(max(0, int(limit) - used))
    except (OSError, ValueError):
        pass
    return min(bounds, default=None)


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f}"
