"""A small disk of its own for a folder: a tmpfs that can be filled, emptied and made read-only."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

BLOCK = 4096


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)


class SmallDisk:
    def __init__(self, folder: Path, megabytes: int, *, inodes: int = 0) -> None:
        """Skips the test where file systems cannot be mounted."""
        self.folder = folder
        self.filler = folder / "filler"
        folder.mkdir(parents=True, exist_ok=True)
        options = f"size={megabytes}m,mode=700" + (f",nr_inodes={inodes}" if inodes else "")
        try:
            mount("-t", "tmpfs", "-o", options, "tmpfs", str(folder))
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no file system can be mounted here (run as root or under `unshare -rm`): {error}")

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self) -> None:
        """To the last byte."""
        with self.filler.open("ab", buffering=0) as file:
            for size in (64 * BLOCK, BLOCK):
                with suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass

    def empty(self) -> None:
        self.filler.unlink(missing_ok=True)

    @contextmanager
    def full(self) -> Iterator[None]:
        self.fill()
        try:
            yield
        finally:
            self.empty()

    @contextmanager
    def refilled(self) -> Iterator[None]:
        """Takes at once whatever space is set free meanwhile."""
        ended = threading.Event()

        def refill() -> None:
            while not ended.wait(0.05):
                self.fill()

        thread = threading.Thread(target=refill)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Nothing can be opened for writing; what is open stays so, as Linux refuses a remount otherwise."""
        aside = self.folder.with_name(f"{self.folder.name}-read-only")
        aside.mkdir(exist_ok=True)
        mount("--bind", str(self.folder), str(aside))
        mount("-o", "remount,ro,bind", str(aside))  # before anybody can write through it
        mount("--bind", str(aside), str(self.folder))
        try:
            yield
        finally:
            for place in (self.folder, aside):
                subprocess.run(["umount", "--lazy", str(place)], check=True)

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=False, capture_output=True)
