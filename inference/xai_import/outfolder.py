"""Writes the output folder: begins it, continues it after a kill, finishes it, or leaves it unchanged.

While an import is under way, `import.json` says what is being imported and which files are whole. It is the
first thing written and the last one removed; a file has its name only when all of it is on the disk. Whatever
else lies in the folder is never touched.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inference.model_dir import manifest

STATE = "import.json"
FORMAT = 1
PART = ".part"
SPARE = 2**20  # bytes for the small files and the folder itself

Entry = dict[str, Any]  # {"bytes": n, "sha256": hex}, as in the manifest


class CannotImport(ValueError):
    """Raised when nothing was imported, for a reason other than the release itself. The message is one
    line.
    """


@dataclass(frozen=True, slots=True)
class Work:
    """The identity of an import: the work of one is never continued as another."""

    dtype: str
    config: str  # SHA-256 of config.json
    tokenizer: str | None
    source: str  # Checkpoint.fingerprint
    shard_bytes: int

    @property
    def made_by(self) -> str:
        """Returns the origin of a finished folder, for its manifest."""
        digest = hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()
        return f"import_grok1 {self.dtype} {digest[:16]}"


DIFFERENT = {
    "dtype": "another --dtype",
    "config": "another --config",
    "tokenizer": "another --tokenizer",
    "source": "other files (or the same ones changed since)",
    "shard_bytes": "files of another size",
}


class OutFolder:
    """`names` are all files the finished folder will have, the manifest aside."""

    def __init__(self, path: Path, work: Work, names: Iterable[str]) -> None:
        self.path, self.work, self.names = path, work, list(names)
        self.done: dict[str, Entry] = {}
        self.finished = False  # an earlier run of the same import finished
        self._made: list[Path] = []  # folders that did not exist before
        self._lock: int | None = None
        self._look()

    def _look(self) -> None:
        """Reads the state of the folder without changing it. Raises CannotImport."""
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_dir()):
            raise CannotImport(f"{self.path} is no folder; give one that is empty or does not exist")
        found = {entry.name for entry in self.path.iterdir()} if self.path.exists() else set()
        if not found - {STATE + PART}:
            return
        if STATE in found:
            self._go_on(self._state())
        elif self._made_by() == self.work.made_by:
            self.finished = True
        else:
            raise CannotImport(
                f"{self.path} is not empty ({ascii(min(found))[1:-1]}); give a folder that is, or a new one"
            )

    def _go_on(self, state: dict[str, Any]) -> None:
        before = state["work"]
        for part, now in asdict(self.work).items():
            if before.get(part) != now:
                raise CannotImport(
                    f"{self.path} holds an unfinished import of {DIFFERENT[part]}; repeat that command, or "
                    "remove the folder"
                )
        self._made = [self.path] if state["made"] else []
        for name, entry in state["done"].items():
            file = self.path / name
            if name in self.names and file.is_file() and file.stat().st_size == entry["bytes"]:
                self.done[name] = entry

    def _state(self) -> dict[str, Any]:
        try:
            state = json.loads((self.path / STATE).read_text(encoding="utf-8"))
            sound = state["format"] == FORMAT and isinstance(state["work"], dict) and "made" in state
            sound = sound and all(manifest.is_entry(*item) for item in state["done"].items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            sound = False
        if not sound:
            raise CannotImport(f"{STATE} in {self.path} cannot be read; remove the folder and import again")
        return dict(state)

    def _made_by(self) -> str | None:
        try:
            value = json.loads((self.path / manifest.NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return str(value.get("made_by")) if isinstance(value, dict) else None

    # -- before ----------------------------------------------------------------------------

    def ensure_space(self, needed: int, free: int | None = None) -> None:
        """Refuses a disk without room for `needed`, the bytes still to be written."""
        there = next(folder for folder in (self.path, *self.path.absolute().parents) if folder.exists())
        free = shutil.disk_usage(there).free if free is None else free
        free += sum(part.stat().st_size for part in self._parts() if part.is_file())  # removed at the start
        if needed + SPARE > free:
            sizes = f"needs {(needed + SPARE) / 1e9:.2f} GB, {free / 1e9:.2f} GB free"
            raise CannotImport(f"not enough disk for {self.path}: {sizes}")

    def begin(self) -> None:
        """Creates the folder or takes it over; from here on `discard` has something to remove."""
        for folder in reversed([self.path, *self.path.absolute().parents]):
            if not folder.exists():
                folder.mkdir()
                self._made.append(folder)
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.release()
            raise CannotImport(f"another import is writing to {self.path}") from None
        for part in self._parts():
            part.unlink(missing_ok=True)
        self._save()

    # -- meanwhile ---------------------------------------------------------------------------

    def part(self, name: str) -> Path:
        """Returns the path of a file until it is complete."""
        return self.path / f"{name}{PART}"

    def keep(self, name: str, sha256: str) -> None:
        """Gives a part that is complete and on the disk its name, and records it."""
        part = self.part(name)
        entry = {"bytes": part.stat().st_size, "sha256": sha256}
        part.replace(self.path / name)
        self.done[name] = entry
        self._save()

    def write(self, name: str, data: bytes) -> None:
        """Writes a small file at once."""
        with self.part(name).open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        self.keep(name, hashlib.sha256(data).hexdigest())

    def drop(self, name: str) -> None:
        """Drops a damaged file: the next run writes it again."""
        self.done.pop(name, None)
        self._save()

    # -- the end -----------------------------------------------------------------------------

    def finish(self) -> None:
        manifest.write(self.path, self.done, made_by=self.work.made_by)
        self._sync()
        (self.path / STATE).unlink()
        self._sync()

    def discard(self) -> None:
        """Removes our files and the folders that were made for them."""
        for name in [*self.names, manifest.NAME, STATE]:
            (self.path / name).unlink(missing_ok=True)
        for part in self._parts():
            part.unlink(missing_ok=True)
        for folder in reversed(self._made):
            try:
                folder.rmdir()
            except OSError:  # another process wrote there meanwhile
                break

    def release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _parts(self) -> list[Path]:
        return [self.part(name) for name in [*self.names, manifest.NAME, STATE]]

    def _save(self) -> None:
        state = {
            "format": FORMAT,
            "work": asdict(self.work),
            "made": self.path in self._made,
            "done": self.done,
        }
        with self.part(STATE).open("w", encoding="utf-8") as out:
            json.dump(state, out)
            out.flush()
            os.fsync(out.fileno())
        self.part(STATE).replace(self.path / STATE)
        self._sync()

    def _sync(self) -> None:
        """Writes the names themselves to the disk."""
        if self._lock is not None:
            os.fsync(self._lock)
