"""Fetches a model by name into `models/` of the data directory, once; later starts need no network.

    folder = fetch("hf:ibm-granite/granite-3.1-1b-a400m-instruct", report=Terminal(sys.stderr))

A fetch that was killed continues where it stopped, also after a day; two processes wait for each other. The
folder appears under its name only when every file is there and equals the hub's checksums, with a manifest
that each later start holds it against, and hub.json: repository, commit, licence.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inference.base.lines import english, line_of
from inference.hub.client import Hub, Repository, RevisionGone, hub_of_settings
from inference.hub.files import RemoteFile, small_files, weight_files
from inference.hub.names import MODELS, RECORD, HubName, fetched_folder, parse_name
from inference.hub.planning import Check, Memory, any_model, check_disk, check_gate, check_served
from inference.hub.progress import Meter, Progress, Report, State, ignore
from inference.hub.transfer import ChecksumWrong, Transfer, disk_words
from inference.model_dir import manifest
from inference.model_dir.headers import INDEX, ModelUnusable, json_object

STAGING = ".fetching"  # in MODELS: parts of models
PINNED = "pinned.json"  # in a staging folder: the commit that its parts are of
FORMAT = 1
POLL_SECONDS = 0.2
LONGEST_REMOVAL_WAIT = 10.0  # seconds; a worker that is asked to end stops fetching at once


def fetch(
    configured: str,
    *,
    root: Path = MODELS,
    memory: Memory | None = None,
    report: Report = ignore,
    hub: Hub | None = None,
    check: Check = any_model,
) -> Path:
    """Returns the folder of the model `hf:owner/name[@revision]`, which it fetches unless it is there.

    `memory`: refuses a model that does not fit it, before the weights are fetched; None: it runs elsewhere.
    `report` is called with each step, in this thread. `hub`: another one than the settings name. `check`
    raises ModelUnusable for a description that the caller does not serve, before the weights are fetched.
    Raises ModelUnusable with one line that names the model, the cause and the next step.
    """
    name = parse_name(configured)
    folder = fetched_folder(name, root)
    if folder is not None:
        return folder
    meter = Meter(report, Progress(str(name), State.PLANNING))
    try:
        with disk_words(root):
            staging = root / STAGING / name.folder
            staging.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _lock(root / STAGING / f"{name.folder}.lock", meter):
                folder = fetched_folder(name, root)
                if folder is None:
                    _ensure_free(name, root)
                    folder = _fetch(name, root, staging, memory, meter, hub or hub_of_settings(name), check)
        meter.turn_to(State.DONE, done=meter.progress.total)
        return folder
    except ModelUnusable as error:
        report(replace(meter.progress, state=State.FAILED, error=line_of(error)))
        raise


def fetched_bytes(configured: str, *, root: Path = MODELS) -> int:
    """Returns the bytes of a model's folder and its parts on the disk; 0 if nothing of it is here."""
    found = [path for folder in _places(configured, root) for path in folder.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in found)


def remove_fetched(configured: str, *, root: Path = MODELS) -> bool:
    """Removes a model's folder and its parts; returns whether there were any. Waits LONGEST_REMOVAL_WAIT for
    a process that fetches it to end, then raises ModelUnusable."""
    name = parse_name(configured)
    if not _places(configured, root):
        return False
    (root / STAGING).mkdir(parents=True, exist_ok=True, mode=0o700)
    with _lock(
        root / STAGING / f"{name.folder}.lock",
        Meter(ignore, Progress(str(name), State.PLANNING)),
        at_most=LONGEST_REMOVAL_WAIT,
    ):
        for path in _places(configured, root):
            gone = root / STAGING / f"{path.name}.removed"  # a start meanwhile finds all of it, or nothing
            shutil.rmtree(gone, ignore_errors=True)
            path.rename(gone)
            shutil.rmtree(gone)
    return True


def _places(configured: str, root: Path) -> list[Path]:
    name = parse_name(configured)
    return [path for path in (root / name.folder, root / STAGING / name.folder) if path.exists()]


def _ensure_free(name: HubName, root: Path) -> None:
    """Refuses a folder under the model's name that no fetch has placed, before anything is fetched.

    The caller holds the lock: no other process is placing the model meanwhile.
    """
    folder = root / name.folder
    if folder.is_symlink() or folder.exists():
        raise ModelUnusable(
            english("%(name)s: %(folder)s is there but is not complete: remove it", name=name, folder=folder)
        )


def _fetch(
    name: HubName,
    root: Path,
    staging: Path,
    memory: Memory | None,
    meter: Meter,
    hub: Hub,
    check: Check,
) -> Path:
    meter.turn_to(State.PLANNING)
    try:
        repository = _pinned(name, staging, hub)
        gate = english("%(name)s: %(why)s", name=name, why=hub.gated_words())
        check_gate(repository, gate, has_token=hub.has_token)
        transfer = Transfer(hub, repository, staging, meter.add)
        small = small_files(repository.files, str(name))
        for file in small:
            _bring_checked(transfer, file)
        weights = weight_files(repository.files, staging, str(name))
        if weights[0].name == "model.safetensors" and len(weights) == 1:
            (staging / INDEX).unlink(missing_ok=True)  # of weights that are not there
        _write_card(staging, name)
        resumed = {file.name for file in weights if transfer.present(file)}
        check_disk(name, sum(file.size - transfer.present(file) for file in weights), root)
        planned = check_served(name, transfer, staging, weights, memory, resumed=resumed, check=check)
        context = planned.context
        files = [file for file in small if (staging / file.name).is_file()] + weights
        present = sum(transfer.present(file) for file in files)
        total = sum(file.size for file in files)
        licence = str(repository.licence)
        meter.turn_to(State.FETCHING, done=present, total=total, licence=licence, context=context)
        digests = _bring_all(transfer, files, meter, resumed)
    finally:
        hub.close()
    return _place(name, root, staging, repository, digests, hub.endpoint)


def _pinned(name: HubName, staging: Path, hub: Hub) -> Repository:
    """Returns the repository at the commit of the parts that are here, or at the one of today.

    Parts of a commit that is no longer to be had are dropped.
    """
    commit = _commit_of(staging)
    try:
        repository = hub.repository(commit or name.revision)
    except RevisionGone:
        if not commit:
            raise
        repository = hub.repository(name.revision)
    if repository.commit != commit:
        shutil.rmtree(staging)
        staging.mkdir(mode=0o700)
        _write_json(staging / PINNED, {"commit": repository.commit})
    return repository


def _commit_of(staging: Path) -> str:
    """Returns the commit of the parts in a staging folder; "" if none is known."""
    for name in (PINNED, RECORD):
        with suppress(ModelUnusable):
            return str(json_object(staging / name)["commit"])
    return ""


def _bring_all(
    transfer: Transfer, files: list[RemoteFile], meter: Meter, resumed: set[str]
) -> dict[str, dict[str, Any]]:
    """Fetches and checks all files; returns what the manifest says of them.

    `resumed`: files of which an earlier process left a part, which may have been damaged where it lay.
    """
    for file in files:
        transfer.bring(file, file.size)
    meter.turn_to(State.CHECKING, done=0)
    checked = {}
    for file in files:
        try:
            sha256 = transfer.finish(file, meter.add)
        except ChecksumWrong:
            if file.name not in resumed:
                raise
            sha256 = _bring_checked(transfer, file)
        checked[file.name] = {"bytes": file.size, "sha256": sha256}
    return checked


def _bring_checked(transfer: Transfer, file: RemoteFile) -> str:
    """Fetches and checks one file; what an earlier process left of it is fetched anew if it is damaged."""
    is_resumed = transfer.present(file) > 0
    transfer.bring(file, file.size)
    try:
        return transfer.finish(file)
    except ChecksumWrong:
        if not is_resumed:
            raise
    return _bring_checked(transfer, file)  # nothing of it is here now


def _write_card(staging: Path, name: HubName) -> None:
    """Writes grokweb.json: the queue and the model card are named after the repository."""
    _write_json(staging / "grokweb.json", {"slug": name.slug, "name": name.name})


def _place(
    name: HubName,
    root: Path,
    staging: Path,
    repository: Repository,
    digests: dict[str, dict[str, Any]],
    endpoint: str,
) -> Path:
    """Gives the whole folder its name, in one step."""
    manifest.write(staging, digests, made_by=f"fetched from {endpoint}/{repository.repo}")
    licence = repository.licence
    record = {
        "format": FORMAT,
        "name": str(name),
        "repository": repository.repo,
        "commit": repository.commit,
        "endpoint": endpoint,
        "licence": {"id": licence.identifier, "name": licence.title, "link": licence.link},
        "bytes": sum(entry["bytes"] for entry in digests.values()),
        "fetched_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    _write_json(staging / RECORD, record)
    wanted = {*digests, RECORD, "grokweb.json", manifest.NAME}
    for path in staging.iterdir():
        if path.name not in wanted:
            path.unlink()
        else:
            _sync(path)
    folder = root / name.folder
    staging.rename(folder)
    _sync(root)
    return folder


def _write_json(file: Path, value: dict[str, Any]) -> None:
    unfinished = file.with_name(f".{file.name}.new")
    unfinished.write_text(f"{json.dumps(value, indent=1)}\n", encoding="utf-8")
    unfinished.replace(file)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _lock(file: Path, meter: Meter, at_most: float = float("inf")) -> Iterator[None]:
    """Waits until no other process fetches this model, at most for some seconds. The lock ends with its
    process. Raises ModelUnusable."""
    deadline = time.monotonic() + at_most
    with file.open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if meter.progress.state is not State.WAITING:
                    meter.turn_to(State.WAITING)
                if time.monotonic() > deadline:
                    raise ModelUnusable(
                        english(
                            "%(name)s: another process is fetching it: end that one first",
                            name=meter.progress.name,
                        )
                    ) from None
                time.sleep(POLL_SECONDS)
        yield
