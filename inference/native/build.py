"""Compile step.cpp for this machine: `python -m inference.native.build` (seconds; `make install` does it).

Beside the object lies a JSON file with what it was made of and which instructions it may use; library.py
loads the object only if both still fit. Without a compiler nothing is built, and torch runs (grok1/step.py).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("step.cpp")
FOLDER = Path(__file__).resolve().parents[2] / "build" / "native"
OBJECT = FOLDER / "step.so"
RECORD = FOLDER / "step.json"
OPTIONS = (
    "-std=c++20",
    "-O3",
    "-march=native",
    "-ffp-contract=off",
    "-fPIC",
    "-shared",
    "-Wall",
    "-Wno-psabi",
    "-pthread",
)
# What /proc/cpuinfo calls instructions that a compiler may choose, on x86 and on ARM.
INSTRUCTIONS = re.compile(
    r"avx.*|.*sse.*|fma|f16c|bmi\d|amx.*|popcnt|movbe|lzcnt|abm|adx|sha.*|gfni|aes|v?pclmul.*|vaes|sve.*|asimd.*|i8mm|bf16"
)


class NotBuilt(Exception):
    """There is no native step. The message says why in one line."""


def compiler() -> str:
    """Returns the C++ compiler: CXX, or the first of the usual names; "" for none."""
    wanted = os.environ.get("CXX")
    names = [wanted] if wanted else ["g++", "clang++", "c++"]
    return next((found for name in names if (found := shutil.which(name))), "")


def source_hash() -> str:
    return hashlib.sha256(SOURCE.read_bytes() + "\0".join(OPTIONS).encode()).hexdigest()


def cpu_flags() -> set[str]:
    """Returns the instructions that this processor has, as far as a compiler chooses among them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    words = next(
        (line.split(":", 1)[1].split() for line in lines if line.startswith(("flags", "Features"))), []
    )
    return {word for word in words if INSTRUCTIONS.fullmatch(word)}


def build() -> None:
    """Compiles step.cpp; raises NotBuilt. An earlier object stays until the new one is complete."""
    if sys.platform != "linux":
        raise NotBuilt("the native step is for Linux")
    path = compiler()
    if not path:
        raise NotBuilt("there is no C++ compiler (g++ or clang++)")
    FOLDER.mkdir(parents=True, exist_ok=True)
    partial = OBJECT.with_suffix(".part")
    made = subprocess.run(
        [path, *OPTIONS, str(SOURCE), "-o", str(partial)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        last = (made.stderr.strip().splitlines() or [""])[0]
        raise NotBuilt(f"{path} could not compile {SOURCE.name}: {last}")
    record = {
        "source": source_hash(),
        "object": hashlib.sha256(partial.read_bytes()).hexdigest(),
        "compiler": path,
        "flags": sorted(cpu_flags()),
    }
    RECORD.unlink(missing_ok=True)  # an object without its record is not used
    partial.replace(OBJECT)
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


def main() -> int:
    try:
        build()
    except NotBuilt as reason:
        print(f"no native step for the model: {reason}. The model runs on torch, more slowly.")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
