"""Decides before the first byte of weights whether a model can be served here: files, disk and memory.

The headers of the weights say what they hold. With them, beside the small files, stand files of the right
length without content; so the folder is described and admitted exactly as it will be when it is whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inference.base.disk_space import LOW_BYTES, disk_status
from inference.base.lines import english, line_of, replace_in
from inference.hub.client import Repository
from inference.hub.files import RemoteFile
from inference.hub.names import HubName
from inference.hub.transfer import HeaderWrong, Transfer
from inference.model_dir.admission import ensure_memory, fit_context
from inference.model_dir.describe import GROK1, ModelFiles, ModelUnusable, describe
from inference.model_dir.headers import read_headers

OUTLINE = "outline"  # a folder in the staging one, while a plan is made


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory in which a model is to run.

    `free` returns the bytes free on a GPU, or None for this machine's memory. It is called when the model is
    known: asking a GPU loads torch.
    """

    slots: int
    context: int = 0  # tokens; 0: as long as the model and the memory allow
    free: Callable[[], int | None] = lambda: None
    dtype: str = ""  # of weights that transformers runs, see hf_models/loading.py


Check = Callable[[ModelFiles], None]


def any_model(files: ModelFiles) -> None:
    """Accepts every model that is served at all."""


def check_disk(name: HubName, missing: int, folder: Path) -> None:
    """Raises ModelUnusable unless `missing` bytes fit on the disk of `folder`."""
    status = disk_status(folder)
    if not status.writable:
        raise ModelUnusable(
            english(
                "%(name)s: the disk of %(folder)s is full; set GROKWEB_DATA to another one",
                name=name,
                folder=folder,
            )
            if status.state == "full"
            else english(
                "%(name)s: the disk of %(folder)s is read-only; set GROKWEB_DATA to another one",
                name=name,
                folder=folder,
            )
        )
    room = status.free - LOW_BYTES
    if missing > room:
        raise ModelUnusable(
            english(
                "%(name)s: not enough disk space in %(folder)s: %(missing)s GB are still to fetch, %(room)s "
                "GB can be used; make room, or set GROKWEB_DATA to a larger disk",
                name=name,
                folder=folder,
                missing=f"{missing / 1e9:.1f}",
                room=f"{max(0, room) / 1e9:.1f}",
            )
        )


def check_served(
    name: HubName,
    transfer: Transfer,
    folder: Path,
    weights: list[RemoteFile],
    memory: Memory | None,
    *,
    resumed: Collection[str] = (),
    check: Check = any_model,
) -> ModelFiles:
    """Returns the description of the folder as it will be; raises ModelUnusable for one that is not served.

    `memory` None: the model is to run elsewhere, so its memory is not asked. `resumed`: names of weights that
    an earlier process left, which may have been damaged where they lay.
    """
    whole = {file.name for file in weights}  # an earlier process may have checked some: they are large
    with _outline(folder) as outline:
        for small in folder.iterdir():
            if small.is_file() and small.name not in whole and not small.name.endswith(".part"):
                shutil.copyfile(small, outline / small.name)
        for file in weights:
            _write_outline(transfer, file, outline / file.name, is_resumed=file.name in resumed)
        try:
            files = describe(outline)
            check(files)
            if memory is not None:
                free = memory.free()
                dtype = "" if files.model_type == GROK1 else memory.dtype  # Grok-1 is served as stored
                files = fit_context(files, memory.slots, memory.context, free, dtype)
                ensure_memory(files, memory.slots, free, dtype)
        except ModelUnusable as error:
            raise ModelUnusable(replace_in(line_of(error), str(outline), str(name))) from error
    return files


def _write_outline(transfer: Transfer, file: RemoteFile, place: Path, *, is_resumed: bool) -> None:
    """Writes a file of the right length with the header of `file`.

    A header that an earlier process left and that cannot be read is fetched anew, with what follows it.
    """
    try:
        header = transfer.header(file)
        _write_header(place, header, file.size)
        if not is_resumed or _has_header(place):
            return
    except HeaderWrong:
        if not is_resumed:
            raise
    transfer.drop(file)
    _write_header(place, transfer.header(file), file.size)


def _write_header(place: Path, header: bytes, size: int) -> None:
    with place.open("wb") as out:
        out.write(header)
        out.truncate(size)


def _has_header(place: Path) -> bool:
    try:
        read_headers((place,))
    except ModelUnusable:
        return False
    return True


@contextmanager
def _outline(folder: Path) -> Iterator[Path]:
    outline = folder / OUTLINE
    shutil.rmtree(outline, ignore_errors=True)
    outline.mkdir()
    try:
        yield outline
    finally:
        shutil.rmtree(outline, ignore_errors=True)


def check_gate(repository: Repository, words: str, *, has_token: bool) -> None:
    """Raises ModelUnusable at once for a model that is given only to known accounts, if there is none."""
    if repository.is_gated and not has_token:
        raise ModelUnusable(words)
