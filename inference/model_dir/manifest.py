"""The SHA-256 manifest of a model folder: its files, with length and digest. Standard library only.

`manifest.json` is {"format": 1, "made_by": "...", "files": {name: {"bytes": n, "sha256": hex}}}; names are of
this folder alone. The importer writes it last, so that a folder without one was not finished. A worker checks
every file before it opens one: weights that changed on the disk, or on the way here, are refused.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from inference.base.lines import english

NAME = "manifest.json"
FORMAT = 1
CHUNK = 4 * 2**20  # bytes read at once
READERS = 4  # files hashed in parallel; hashlib releases the interpreter lock


class ManifestMismatch(ValueError):
    """Raised when a file differs from the manifest. The message is one line."""


def sha256_of(file: Path, on_bytes: Callable[[int], object] | None = None) -> str:
    """Returns the hex digest of a file; `on_bytes` is called with the number of bytes of every chunk read."""
    digest = hashlib.sha256()
    with file.open("rb") as data:
        while chunk := data.read(CHUNK):
            digest.update(chunk)
            if on_bytes is not None:
                on_bytes(len(chunk))
    return digest.hexdigest()


def entry_of(file: Path) -> dict[str, Any]:
    """Returns what the manifest says of one file."""
    return {"bytes": file.stat().st_size, "sha256": sha256_of(file)}


def write(folder: Path, files: dict[str, dict[str, Any]], *, made_by: str) -> None:
    """Writes a manifest atomically: a half-written one never has its name."""
    text = json.dumps({"format": FORMAT, "made_by": made_by, "files": dict(sorted(files.items()))}, indent=1)
    unfinished = folder / f"{NAME}.part"
    with unfinished.open("w", encoding="utf-8") as out:
        out.write(f"{text}\n")
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(folder / NAME)


def read(folder: Path) -> dict[str, dict[str, Any]] | None:
    """Returns the files of a manifest; None if there is none. Raises ManifestMismatch for an invalid one."""
    try:
        value = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ManifestMismatch(f"{NAME} in {folder} cannot be read: {error}") from None
    files = value.get("files") if isinstance(value, dict) and value.get("format") == FORMAT else None
    if not isinstance(files, dict) or not all(is_entry(name, entry) for name, entry in files.items()):
        raise ManifestMismatch(f"{NAME} in {folder} is not a manifest of format {FORMAT}")
    return files


def is_entry(name: str, entry: Any) -> bool:
    """Returns whether this is one file of a manifest: a name without a folder, a length, a digest."""
    sound = (
        isinstance(entry, dict) and isinstance(entry.get("bytes"), int) and len(entry.get("sha256", "")) == 64
    )
    return sound and name not in {"", ".", ".."} and name == Path(name).name


def check(folder: Path, needed: Iterable[str]) -> bool:
    """Returns whether the folder has a manifest; raises unless every file in it, and every `needed` one,
    matches it.

    Reads all of them once, which also brings the weights into the page cache. Raises ManifestMismatch.
    """
    files = read(folder)
    if files is None:
        return False
    for name in needed:
        if name not in files:
            raise ManifestMismatch(
                english(
                    "%(file)s in %(folder)s is not in its %(manifest)s",
                    file=name,
                    folder=folder,
                    manifest=NAME,
                )
            )
    for name, entry in files.items():  # sizes first: a truncated file is found at once
        size = (folder / name).stat().st_size if (folder / name).is_file() else -1
        if size != entry["bytes"]:
            raise ManifestMismatch(_of_other_size(folder, name, size, entry["bytes"]))
    with ThreadPoolExecutor(READERS) as readers:
        hashes = readers.map(lambda name: sha256_of(folder / name), files)
        for (name, entry), found in zip(files.items(), hashes, strict=True):
            if found != entry["sha256"]:
                raise ManifestMismatch(
                    english(
                        "%(file)s in %(folder)s was changed: its SHA-256 is not that of %(manifest)s",
                        file=name,
                        folder=folder,
                        manifest=NAME,
                    )
                )
    return True


def _of_other_size(folder: Path, name: str, size: int, wanted: int) -> str:
    if size < 0:
        return english(
            "%(file)s in %(folder)s is missing, its %(manifest)s says %(wanted)s bytes",
            file=name,
            folder=folder,
            manifest=NAME,
            wanted=f"{wanted:,}",
        )
    return english(
        "%(file)s in %(folder)s is %(size)s bytes, its %(manifest)s says %(wanted)s bytes",
        file=name,
        folder=folder,
        size=f"{size:,}",
        manifest=NAME,
        wanted=f"{wanted:,}",
    )
