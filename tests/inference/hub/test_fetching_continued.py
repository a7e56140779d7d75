"""A fetch of a model that was cut or killed, or whose parts were damaged, goes on with what is there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from inference.hub.fetching import fetch
from inference.hub.progress import Progress, State
from inference.model_dir.admission import admit
from inference.model_dir.headers import ModelUnusable
from tests.inference.hub.fake_hub import Call, FakeHub, Repository
from tests.inference.hub.fetcher import NAME, WEIGHTS, Fetcher, in_two_shards

ROOT = Path(__file__).resolve().parents[3]


def test_a_cut_transfer_continues_and_brings_no_byte_twice(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    raw = (published.folder / WEIGHTS).read_bytes()
    cuts = iter([70_000, 70_000, 100_000, 100_001])

    def cut(call: Call) -> bool | None:
        return call.part(raw, cut_at=next(cuts, None)) if call.file == WEIGHTS else None

    hub.on = cut
    assert (fetching(hub) / WEIGHTS).read_bytes() == raw
    assert next(cuts, None) is None
    assert hub.sent_of(WEIGHTS) == len(raw)


def test_a_server_that_ignores_ranges_is_read_from_the_beginning(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    raw = (published.folder / WEIGHTS).read_bytes()
    hub.on = lambda call: call.body(raw) if call.file == WEIGHTS else None
    assert (fetching(hub) / WEIGHTS).read_bytes() == raw


FETCH = "import sys; from inference.hub.fetching import fetch; print(fetch(sys.argv[1]))"


def fetch_elsewhere(hub: FakeHub, data: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "GROKWEB_DATA": str(data)}
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, NAME], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_a_killed_fetch_continues_in_another_process(
    hub: FakeHub, published: Repository, tmp_path: Path
) -> None:
    raw = (published.folder / WEIGHTS).read_bytes()
    half, is_half, go_on = len(raw) * 3 // 4, threading.Event(), threading.Event()

    def stall(call: Call) -> bool | None:
        if call.file != WEIGHTS or int(call.headers["range"].rpartition("-")[2]) < len(raw) - 1:
            return None
        call.part(raw, cut_at=half)  # the connection ends after the test's wait
        is_half.set()
        return go_on.wait(60)

    hub.on = stall
    part = tmp_path / "models" / ".fetching" / "acme--tiny" / f"{WEIGHTS}.part"
    with fetch_elsewhere(hub, tmp_path) as killed:
        assert is_half.wait(60)
        while not (part.exists() and part.stat().st_size == half):
            assert killed.poll() is None
            time.sleep(0.02)
        killed.send_signal(signal.SIGKILL)
    go_on.set()
    hub.on = lambda call: None
    with fetch_elsewhere(hub, tmp_path) as again:
        printed = again.stdout.read().strip()
    assert (Path(printed) / WEIGHTS).read_bytes() == raw
    assert hub.sent_of(WEIGHTS) == len(raw)


def test_a_fetch_continues_at_the_commit_of_its_parts(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    hub.on = lambda call: call.status(500) if call.start > 0 else None
    with pytest.raises(ModelUnusable, match="what was fetched is kept: start again to continue"):
        fetching(hub)
    published.revisions = ("main", "c" * 40)
    hub.on = lambda call: None
    fetching(hub)
    assert [call.path for call in hub.calls if not call.file][
        -1
    ] == f"/api/models/acme/tiny/revision/{'c' * 40}"


def test_parts_of_a_commit_that_is_gone_are_dropped(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    hub.on = lambda call: call.status(500) if call.start > 0 else None
    with pytest.raises(ModelUnusable):
        fetching(hub)
    published.commit = "d" * 40
    hub.on = lambda call: None
    assert json.loads((fetching(hub) / "hub.json").read_text())["commit"] == "d" * 40


@pytest.mark.parametrize("place", [7, 20, -1])  # the length of the header, the header, the tensors
def test_a_part_that_was_damaged_on_the_disk_is_fetched_anew(
    hub: FakeHub, published: Repository, fetching: Fetcher, place: int
) -> None:
    hub.on = lambda call: call.status(500) if call.start > 0 else None
    with pytest.raises(ModelUnusable):
        fetching(hub)
    part = fetching.root / ".fetching" / "acme--tiny" / f"{WEIGHTS}.part"
    raw = bytearray(part.read_bytes())
    raw[place] ^= 255
    part.write_bytes(raw)
    hub.on = lambda call: None
    assert (fetching(hub) / WEIGHTS).read_bytes() == (published.folder / WEIGHTS).read_bytes()


def test_a_small_file_that_was_damaged_on_the_disk_is_fetched_anew(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    hub.on = lambda call: call.status(500) if call.start > 0 else None
    with pytest.raises(ModelUnusable):
        fetching(hub)
    file = fetching.root / ".fetching" / "acme--tiny" / "tokenizer.json"
    file.write_bytes(file.read_bytes().replace(b"a", b"b", 1))
    hub.on = lambda call: None
    fetched = fetching(hub) / "tokenizer.json"
    assert fetched.read_bytes() == (published.folder / "tokenizer.json").read_bytes()


def test_weights_that_were_checked_before_a_cut_are_neither_copied_nor_fetched_again(
    hub: FakeHub, published: Repository, fetching: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = in_two_shards(published.folder)
    raw = bytearray((published.folder / second).read_bytes())
    raw[-1] ^= 255
    hub.on = lambda call: call.part(bytes(raw)) if call.file == second else None
    with pytest.raises(ModelUnusable, match=f"{second} is not what the hub's checksum says"):
        fetching(hub)
    hub.on = lambda call: None
    hub.calls.clear()
    copied: list[str] = []
    copy = shutil.copyfile

    def noted(source: Path, target: Path) -> object:
        copied.append(source.name)
        return copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", noted)
    folder = fetching(hub)
    assert "config.json" in copied
    assert not [name for name in copied if name.endswith(".safetensors")]
    assert set(hub.asked_files()) == {second}
    assert [path.name for path in admit(folder, 1).shards] == [first, second]


def test_two_fetches_of_one_model_wait_for_each_other(
    hub: FakeHub, fetching: Fetcher, tmp_path: Path
) -> None:
    is_asked, go_on, second_waits = threading.Event(), threading.Event(), threading.Event()

    def hold(call: Call) -> None:
        if call.file == "config.json":
            is_asked.set()
            go_on.wait(60)

    hub.on = hold
    folders: list[Path] = []
    first = threading.Thread(target=lambda: folders.append(fetching(hub)))
    first.start()
    assert is_asked.wait(60)

    def report(progress: Progress) -> None:
        if progress.state is State.WAITING:
            second_waits.set()

    second = threading.Thread(target=lambda: folders.append(fetch(NAME, root=fetching.root, report=report)))
    second.start()
    assert second_waits.wait(60)
    go_on.set()
    first.join(60)
    second.join(60)
    assert folders == [fetching.root / "acme--tiny"] * 2
    assert len(hub.asked_files()) == len(set(hub.asked_files())) + 1  # the header, then the rest
