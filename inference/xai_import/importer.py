"""Runs an import: checks everything and the disk's space, writes, verifies, and only then marks it complete.

Before the first byte is written every file was opened, its pickle walked and its arrays compared with the
release's layout. A refusal therefore leaves the target as it was; the few refusals that come later (a file
changed meanwhile, a scale that is no number) take back what was written.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.model_dir import manifest
from inference.xai_import.checkpoint import Checkpoint, OpenFile
from inference.xai_import.constants import Sizes, model_config
from inference.xai_import.convert import pieces
from inference.xai_import.layout import DTYPES, SourceFile, Target, source_files, targets
from inference.xai_import.outfolder import CannotImport, OutFolder, Work
from inference.xai_import.progress import Progress
from inference.xai_import.reader import Reader
from inference.xai_import.safefile import Shard, Stream, has_header, index_of, plan
from inference.xai_import.unpickle import NotTheRelease

SHARD_BYTES = 5 * 10**9  # one layer of the release in int8 takes 4.9 GB
MOST_TOKENIZER = 64 * 2**20  # bytes; the released one has 2.2 MB
INDEX, CONFIG, TOKENIZER = "model.safetensors.index.json", "config.json", "tokenizer.model"
TRY_TOKENIZER = (
    "import sys, sentencepiece;"
    "sentencepiece.SentencePieceProcessor().LoadFromSerializedProto(sys.stdin.buffer.read())"
)


@dataclass(frozen=True, slots=True)
class Import:
    """The parameters of an import. `constants` in xAI's names; missing ones have the release's values."""

    source: Path
    target: Path
    dtype: str = "int8"
    constants: dict[str, Any] = field(default_factory=dict)
    tokenizer: Path | None = None
    shard_bytes: int = SHARD_BYTES

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise CannotImport(f"unknown dtype {self.dtype!r}; there are {', '.join(DTYPES)}")


def run(job: Import, progress: Progress) -> None:
    """Begins or continues an import. Raises NotTheRelease, CannotImport and OSError, each with one line."""
    sizes = Sizes.of(job.constants)
    files = source_files(sizes)
    shards = plan(targets(sizes, job.dtype), job.shard_bytes)
    small = _small_files(job, shards)
    _ensure_apart(job)
    with Checkpoint(job.source, files) as checkpoint:
        checkpoint.look()
        out = OutFolder(job.target, _work(job, small, checkpoint), [*(s.name for s in shards), *small])
        if out.finished:
            progress.say(f"{job.target} holds this import already, finished")
            return
        ahead = [shard for shard in shards if shard.name not in out.done]
        out.ensure_space(sum(shard.bytes for shard in ahead) + sum(map(len, small.values())))
        with Reader() as reader:
            progress.say(f"reading in a process apart: {', '.join(reader.layers)}")
            _look_into(checkpoint, ahead, reader, progress)
            out.begin()
            try:
                _write(checkpoint, ahead, reader, out, progress)
                _finish(shards, small, out, progress)
            except NotTheRelease:
                out.discard()
                raise
            finally:
                out.release()


def _small_files(job: Import, shards: list[Shard]) -> dict[str, bytes]:
    """Returns every file that holds no weights, by name."""
    config = json.dumps(model_config(job.constants, job.dtype), indent=2)
    small = {CONFIG: f"{config}\n".encode()}
    if len(shards) > 1:
        small[INDEX] = index_of(shards)
    if job.tokenizer is not None:
        small[TOKENIZER] = _tokenizer(job.tokenizer)
    return small


def _tokenizer(file: Path) -> bytes:
    try:
        with file.open("rb") as data:
            content = data.read(MOST_TOKENIZER)
    except OSError as error:
        raise CannotImport(f"{file} cannot be read: {error.strerror}") from None
    # In a process of its own: the library takes 50 MB for it, and reads untrusted files.
    tried = subprocess.run([sys.executable, "-I", "-c", TRY_TOKENIZER], input=content, capture_output=True)
    if tried.returncode != 0:
        raise CannotImport(f"{file} is no SentencePiece model (a download that was not finished?)")
    return content


def _ensure_apart(job: Import) -> None:
    """Refuses folders inside each other: one must hold only the release, the other nothing yet."""
    source, target = job.source.resolve(), job.target.resolve()
    if source == target or source in target.parents or target in source.parents:
        raise CannotImport(f"{job.target} and {job.source} must be folders apart from each other")


def _work(job: Import, small: dict[str, bytes], checkpoint: Checkpoint) -> Work:
    tokenizer = small.get(TOKENIZER)
    return Work(
        dtype=job.dtype,
        config=hashlib.sha256(small[CONFIG]).hexdigest(),
        tokenizer=None if tokenizer is None else hashlib.sha256(tokenizer).hexdigest(),
        source=checkpoint.fingerprint(),
        shard_bytes=job.shard_bytes,
    )


def _sources(shards: Iterable[Shard]) -> list[SourceFile]:
    """Returns the files from which shards are made, each once."""
    return list(
        dict.fromkeys(source for shard in shards for target in shard.targets for source in target.sources)
    )


def _look_into(checkpoint: Checkpoint, ahead: list[Shard], reader: Reader, progress: Progress) -> None:
    """Checks, before anything is written, that every file to be read is the release's."""
    files = _sources(ahead)
    progress.begin("looking", len(files), 0)
    for file in files:
        with checkpoint.open(file, reader):
            progress.file(file.name)


def _write(
    checkpoint: Checkpoint, ahead: list[Shard], reader: Reader, out: OutFolder, progress: Progress
) -> None:
    progress.begin("importing", len(_sources(ahead)), sum(shard.bytes for shard in ahead))
    for shard in ahead:
        with Stream(out.part(shard.name)) as stream:
            stream.put(shard.header)
            progress.bytes(len(shard.header))
            for target in shard.targets:
                with ExitStack() as opened:
                    sources = [opened.enter_context(checkpoint.open(file, reader)) for file in target.sources]
                    _write_tensor(target, sources, stream, progress)
        out.keep(shard.name, stream.sha256)
    progress.end()


def _write_tensor(target: Target, sources: list[OpenFile], stream: Stream, progress: Progress) -> None:
    for piece in pieces(target, sources):
        stream.put(piece)
        progress.bytes(piece.nbytes)
    for source in sources:
        source.ensure_untouched()
        progress.file(source.file.name)


def _finish(shards: list[Shard], small: dict[str, bytes], out: OutFolder, progress: Progress) -> None:
    """Writes the small files, verifies all, and last writes the manifest, which marks a complete folder."""
    for name, data in small.items():
        if name not in out.done:
            out.write(name, data)
    _check(shards, out, progress)
    out.finish()


def _check(shards: list[Shard], out: OutFolder, progress: Progress) -> None:
    """Verifies the written files, read from the disk: shapes by the headers, all bytes by their SHA-256."""
    by_name = {shard.name: shard for shard in shards}
    progress.begin("checking", len(out.done), sum(entry["bytes"] for entry in out.done.values()))

    def sound(name: str) -> bool:
        file = out.path / name
        intact = name not in by_name or has_header(file, by_name[name])
        intact = intact and manifest.sha256_of(file, progress.bytes) == out.done[name]["sha256"]
        progress.file(name)
        return intact

    with ThreadPoolExecutor(manifest.READERS) as readers:
        damaged = [
            name
            for name, intact in zip(out.done, readers.map(sound, list(out.done)), strict=True)
            if not intact
        ]
    for name in damaged:
        out.drop(name)
    progress.end()
    if damaged:
        raise OSError(f"{damaged[0]} reads back differently from what was written")
