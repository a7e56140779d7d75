"""Marks the steps of `make` that are done, each with a hash of its input."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from pathlib import Path
from typing import Iterable  # noqa: UP035 - bootstrap.py must run on Python 3.8

from grokweb import checkout
from grokweb.checkout import lock_files, translations


def hash_of(paths: Iterable[Path], *words: str) -> str:
    """Returns a hash of names and contents; a folder counts with everything below it."""
    found = hashlib.sha256("\0".join(words).encode())
    for path in paths:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            if file.suffix in {".pyc", ".mo"} or not file.is_file():
                continue
            found.update(f"\0{os.path.relpath(file, checkout.ROOT)}\0".encode())
            found.update(file.read_bytes())
    return found.hexdigest()


class Stamp:
    """Marks a step as done (`with stamp:`) if its block ends without an exception."""

    def __init__(self, path: Path, value: str) -> None:
        self.path, self.value = path, value

    def is_current(self) -> bool:
        try:
            return self.path.read_text() == self.value
        except OSError:
            return False

    def __enter__(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(self.value)


def stamp_packages(extra: str = "") -> Stamp:
    version = ".".join(map(str, sys.version_info[:2]))
    sources = [checkout.ROOT / "pyproject.toml", *lock_files(extra)]
    return Stamp(checkout.VENV / f".stamp-packages{extra and '-' + extra}", hash_of(sources, version))


def stamp_modules(dev: bool = False) -> Stamp:
    return Stamp(
        checkout.ROOT / "node_modules" / f".stamp{'-dev' if dev else ''}",
        hash_of([checkout.ROOT / "package-lock.json"]),
    )


def stamp_static() -> Stamp:
    sources = [
        checkout.ROOT / "pyproject.toml",
        checkout.ROOT / "package-lock.json",
        checkout.ROOT / "grokweb" / "vendor.py",
        checkout.ROOT / "grokweb" / "bundle.py",
        checkout.ROOT / "grokweb" / "bundle.mjs",
        checkout.ROOT / "static",
    ]
    sources += sorted((checkout.ROOT / "chat").glob("*/static"))
    return Stamp(checkout.STATIC / ".stamp", hash_of(sources))


def stamp_messages() -> Stamp:
    return Stamp(checkout.ROOT / "build" / ".stamp-messages", hash_of(translations()))


def stamp_native() -> Stamp:
    from inference.native.build import SOURCE, compiler, cpu_flags, source_hash

    # A compiler that was installed, or another processor, is a reason to try again.
    return Stamp(
        checkout.ROOT / "build" / "native" / ".stamp",
        hash_of([SOURCE], source_hash(), compiler(), *sorted(cpu_flags())),
    )
