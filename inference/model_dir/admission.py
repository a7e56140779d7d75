"""Decides whether a model folder may be opened here: whether it equals its manifest and fits the memory.

Both are asked before any weight is read. Weights are used where they lie in the file, as a memory map, if
their dtype fits. bfloat16 is the exception: a processor computes in float32 about as fast or faster, and with
less rounding, so a small model is converted.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path

from inference.base.lines import english, line_of
from inference.model_dir import manifest
from inference.model_dir.describe import ModelFiles, ModelUnusable, describe
from inference.model_dir.headers import BYTES

log = logging.getLogger(__name__)

# Beside the weights and the cache: the interpreter, torch, and room to work.
OVERHEAD_BYTES = 300 * 2**20
# bfloat16 weights are held in float32 up to this size, and in place, as bfloat16, beyond.
SMALL_BYTES = 2**30
# Rows that only cache prompt prefixes: searching more would take longer than they save.
MOST_KEPT = 256
INT8 = "int8"  # GROKWEB_DTYPE: matrices in int8, the rest in floats
# A context that memory shortens is a multiple of this, leaves a part of the memory to others, and is at least
# so long: below that a conversation has no room.
CONTEXT_STEP, CONTEXT_SHARE, SHORTEST_CONTEXT = 256, 0.9, 512
# Inputs that share a scale where the native step has the embedding in int8 for the logits.
HEAD_BLOCK = 64


def admit(
    path: Path,
    slots: int,
    dtype: str = "",
    free: int | None = None,
    *,
    packed: bool = False,
    context: int = 0,
) -> ModelFiles:
    """Returns the folder, once it is whole, fits in memory and is what its manifest says; else ModelUnusable.

    `free`: bytes free where the weights go; this machine's memory if not given. `packed`: see needed_bytes.
    `context`: tokens of a conversation; 0: all that the model can read.
    """
    files = bound_context(describe(path), context)
    ensure_memory(files, slots, free, dtype, packed=packed)
    vouch(files)
    return files


def vouch(files: ModelFiles) -> None:
    """Checks every file against the manifest; without a manifest, logs that the files are unverified."""
    needed = ["config.json", files.tokenizer, *(shard.name for shard in files.shards)]
    try:
        if not manifest.check(files.path, needed):
            log.warning("%s has no %s: nothing vouches for its weights", files.path, manifest.NAME)
    except manifest.ManifestMismatch as error:
        raise ModelUnusable(line_of(error)) from error


def serving_dtype(files: ModelFiles) -> str:
    """Returns the dtype of weights, cache and computation on a CPU: "float32" or "bfloat16".

    For an int8 folder this is the embedding's; the int8 matrices stay int8.
    """
    floats = {dtype: size for dtype, size in files.stored.items() if dtype in ("BF16", "F16", "F32", "F64")}
    as_float32 = sum(4 * size // BYTES[dtype] for dtype, size in floats.items())
    mostly = max(floats, key=lambda dtype: floats[dtype], default="F32")
    return "bfloat16" if mostly == "BF16" and as_float32 > SMALL_BYTES else "float32"


def needed_bytes(files: ModelFiles, slots: int, dtype: str = "", *, packed: bool = False) -> int:
    """Returns the bytes of weights as served, a cache of `slots` whole contexts, and any worker's own.

    `packed`: as the native step has them, bfloat16 in its two bytes and the cache in float32; of an int8
    folder the embedding once more in int8, which processors with VNNI make the logits with.
    """
    floats = serving_dtype(files) if dtype in ("", INT8) else dtype
    short = not packed and floats == "bfloat16"
    size = BYTES["BF16" if short else "F32"]
    as_stored = {"I8", "BF16"} if packed else {"I8"}
    weights = sum(
        stored if kind in as_stored else stored // BYTES[kind] * size for kind, stored in files.stored.items()
    )
    if dtype == INT8 and not packed:
        weights -= (files.parameters - files.kept_floats) * (size - 1)
    if packed and "I8" in files.stored:
        others = sum(size // BYTES[kind] for kind, size in files.stored.items() if kind != "I8")
        weights += others + 4 * others // HEAD_BLOCK
    return weights + slots * files.context * files.cached_numbers * size + OVERHEAD_BYTES


def bound_context(files: ModelFiles, requested: int) -> ModelFiles:
    """Returns the folder with a context of at most `wanted` tokens; 0: as long as the model's."""
    return replace(files, context=min(requested, files.context)) if requested else files


def fit_context(
    files: ModelFiles,
    slots: int,
    requested: int = 0,
    free: int | None = None,
    dtype: str = "",
    *,
    packed: bool = False,
) -> ModelFiles:
    """Returns the folder with the context it is served with, and states it in the log.

    That is `wanted` (GROKWEB_CONTEXT), or else the longest for which `slots` conversations fit into the free
    memory. If not even SHORTEST_CONTEXT fits, ensure_memory refuses.
    """
    longest, free = files.context, free_memory() if free is None else free
    if requested or free is None or needed_bytes(files, slots, dtype, packed=packed) <= free:
        files = bound_context(files, requested)
        log.info(
            "%s is served with a context of %d tokens; its longest is %d", files.name, files.context, longest
        )
        return files
    base = needed_bytes(files, 0, dtype, packed=packed)
    token = (needed_bytes(files, slots, dtype, packed=packed) - base) // files.context
    fits = int(CONTEXT_SHARE * max(0, free - base)) // token // CONTEXT_STEP * CONTEXT_STEP
    files = bound_context(files, max(fits, SHORTEST_CONTEXT))
    log.warning(
        "%s is served with a context of %d tokens: its longest, %d, needs %s GB for %d conversations, "
        "and %s GB are free. GROKWEB_CONTEXT sets it; with fewer GROKWEB_SLOTS it is longer",
        files.name,
        files.context,
        longest,
        _gb(base + token * longest),
        slots,
        _gb(free),
    )
    return files


def rows_of(
    files: ModelFiles, slots: int, budget: int, free: int | None = None, *, packed: bool = False
) -> int:
    """Returns the rows of the cache: one per slot, and those that `budget` bytes allow for cached prefixes.

    There are fewer where memory is short: a cached prefix saves time, a slot is needed.
    """
    free = free_memory() if free is None else free
    base = needed_bytes(files, slots, packed=packed)
    each = needed_bytes(files, 1, packed=packed) - needed_bytes(files, 0, packed=packed)
    left = budget if free is None else min(budget, free - base)
    return slots + min(MOST_KEPT, max(0, left) // each)


def ensure_memory(
    files: ModelFiles, slots: int, free: int | None = None, dtype: str = "", *, packed: bool = False
) -> None:
    """Refuses, before loading, a model that exceeds this machine's memory.

    `describe` does not call it, because the web host loads no model.
    """
    free = free_memory() if free is None else free
    needed = needed_bytes(files, slots, dtype, packed=packed)
    if free is None or needed <= free:
        return
    weights = needed_bytes(files, 0, dtype, packed=packed)
    raise ModelUnusable(
        english(
            "not enough memory for %(name)s: needs %(needed)s GB (%(cache)s GB of it to remember %(slots)s "
            "conversations), %(free)s GB free; %(remedy)s",
            name=files.name,
            needed=_gb(needed),
            cache=_gb(needed - weights),
            slots=slots,
            free=_gb(free),
            remedy=_remedy(files, slots, weights, needed, free),
        )
    )


def _remedy(files: ModelFiles, slots: int, weights: int, needed: int, free: int) -> str:
    """Names the settings with which the model would fit. (GROKWEB_CACHE_MB takes only what is left
    anyway.)
    """
    token = (needed - weights) / max(1, slots * files.context)  # bytes of one token of one conversation
    room = max(0, free - weights)
    context = int(room / (slots * token)) // CONTEXT_STEP * CONTEXT_STEP if token and slots else 0
    fewer = int(room / (token * files.context)) if token else 0
    ways = [
        _changed("GROKWEB_CONTEXT", context, files.context) if context >= SHORTEST_CONTEXT else "",
        _changed("GROKWEB_SLOTS", fewer, slots) if 0 < fewer < slots else "",
    ]
    ways = list(filter(None, ways))
    if not ways and room > SHORTEST_CONTEXT * token > 0:
        ways = [english("GROKWEB_SLOTS=1 with GROKWEB_CONTEXT=%(tokens)s", tokens=SHORTEST_CONTEXT)]
    if len(ways) == 2:
        return english("%(first)s or %(second)s would fit", first=ways[0], second=ways[1])
    if ways:
        return english("%(way)s would fit", way=ways[0])
    return english(
        "its weights alone take %(size)s GB, so neither GROKWEB_CONTEXT nor GROKWEB_SLOTS would help",
        size=_gb(weights),
    )


def _changed(setting: str, value: int, now: int) -> str:
    return english("%(setting)s=%(value)s (now %(now)s)", setting=setting, value=value, now=now)


def free_memory() -> int | None:
    """Returns bytes that a new process may use: the machine's or this container's limit; None if unknown."""
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
