"""Writes safetensors files: the header first, then the tensors' bytes as they come.

The format: a length of eight bytes, that much JSON (name -> dtype, shape, first and last byte), the data.
A header is known before any data is, so a file of any size is written once, front to back. Within a file the
larger item types come first: every tensor then begins at a multiple of its item size, as a memory map needs.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import struct
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from numpy.typing import NDArray

from inference.xai_import.layout import STORED_BYTES, Target

WAITING = 3  # pieces queued between the two threads
FLUSHED = 64 * 2**20  # bytes after which the disk is asked to begin


@dataclass(frozen=True, slots=True)
class Shard:
    """A weight file: its name, its tensors in order, and its header."""

    name: str
    targets: tuple[Target, ...]
    header: bytes

    @property
    def bytes(self) -> int:
        return len(self.header) + sum(target.bytes for target in self.targets)


def plan(groups: Sequence[Sequence[Target]], most: int) -> list[Shard]:
    """Plans files of at most `most` bytes, unless one group of tensors is larger; groups stay together."""
    files: list[list[Target]] = [[]]
    for group in groups:
        size = sum(target.bytes for target in (*files[-1], *group))
        if files[-1] and size > most:
            files.append([])
        files[-1] += group
    names = [f"model-{n:05d}-of-{len(files):05d}.safetensors" for n in range(1, len(files) + 1)]
    if len(files) == 1:
        names = ["model.safetensors"]
    return [_shard(name, targets) for name, targets in zip(names, files, strict=True)]


def _shard(name: str, targets: list[Target]) -> Shard:
    ordered = tuple(sorted(targets, key=lambda target: -STORED_BYTES[target.stored]))
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for target in ordered:
        entries[target.name] = {
            "dtype": target.stored,
            "shape": list(target.shape),
            "data_offsets": [at, at + target.bytes],
        }
        at += target.bytes
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return Shard(name, ordered, struct.pack("<Q", len(text)) + text)


def has_header(file: Path, shard: Shard) -> bool:
    """Returns whether a file has the length and the header of a shard."""
    with file.open("rb") as data:
        return os.fstat(data.fileno()).st_size == shard.bytes and data.read(len(shard.header)) == shard.header


def index_of(shards: Sequence[Shard]) -> bytes:
    """Returns model.safetensors.index.json, which names the file of each tensor."""
    weight_map = {target.name: shard.name for shard in shards for target in shard.targets}
    total = sum(target.bytes for shard in shards for target in shard.targets)
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    return json.dumps(index, indent=1).encode()


class Stream:
    """Writes pieces to a new file in a thread of its own, hashing them: the next are made meanwhile.

    Leaving the context waits until all is on the disk; the file has its bytes and `sha256` then.
    """

    def __init__(self, file: Path) -> None:
        self.sha256 = ""
        self._file = file
        self._queue: queue.Queue[bytes | NDArray[Any] | None] = queue.Queue(WAITING)
        self._failure: OSError | MemoryError | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._write, name="import-writer", daemon=True)

    def __enter__(self) -> Stream:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = kind is not None
        self._queue.put(None)
        self._thread.join()
        if kind is None and self._failure is not None:
            raise self._failure

    def put(self, piece: bytes | NDArray[Any]) -> None:
        if self._failure is not None:
            raise self._failure
        self._queue.put(piece)

    def _write(self) -> None:
        digest = hashlib.sha256()
        written, flushed = 0, _ready()
        try:
            with self._file.open("xb", buffering=0) as out, ThreadPoolExecutor(1) as flusher:
                while (piece := self._queue.get()) is not None:
                    view = (memoryview(piece) if isinstance(piece, bytes) else piece.data).cast("B")
                    digest.update(view)
                    written += len(view)
                    while len(view):
                        view = view[out.write(view) :]
                    if written >= FLUSHED and flushed.done():  # the disk works while the next are made
                        flushed, written = flusher.submit(os.fsync, out.fileno()), 0
                flushed.result()
                if not self._stopped:
                    os.fsync(out.fileno())
                    _forget(out.fileno())
            self.sha256 = digest.hexdigest()
        except (OSError, MemoryError) as failure:
            self._failure = failure  # raised by put() or at the end
            while self._queue.get() is not None:
                pass  # it is closed for writing


def _ready() -> Future[None]:
    """Returns a future that is done already."""
    future: Future[None] = Future()
    future.set_result(None)
    return future


def _forget(number: int) -> None:
    """Drops the file from the page cache, so that the final check reads the disk, not the memory."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(number, 0, 0, os.POSIX_FADV_DONTNEED)
