"""Fetches the model of this worker by name, before its engine is made, and announces how far it is."""

from __future__ import annotations

import logging
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis

from inference import settings
from inference.hub.names import MODELS, SCHEME, HubName, fetched_folder, parse_name
from inference.hub.progress import Progress, State
from inference.model_dir.describe import ModelFiles
from inference.wire import scripts
from inference.wire.fetching import (
    ALIVE_SECONDS,
    FAILED_SECONDS,
    announce_fetch,
    fetch_of,
    withdraw_fetch,
)
from inference.wire.queue import announce_model, announced_models

log = logging.getLogger("grokweb.hub")

ANNOUNCE_SECONDS = 1.0
LOOK_SECONDS = 0.5  # of a rank that waits for rank 0


def fetch_configured_model(
    *, check: Callable[[ModelFiles], None] | None = None, is_divided: bool = False
) -> None:
    """Returns when GROKWEB_MODEL is a model that is here; raises ModelUnusable if it cannot be fetched.

    `check`: see fetch. `is_divided`: several GPUs share the model, so that the memory of one says nothing.
    """
    if not settings.MODEL.startswith(SCHEME):
        return
    name = parse_name(settings.MODEL)
    if fetched_folder(name):
        withdraw_failed_fetch(settings.MODEL_SLUG or name.slug)
        return
    from inference.hub.fetching import fetch  # loads the hub's library, which few workers need
    from inference.hub.planning import Memory, any_model
    from inference.hub.words import Lines

    lines = Lines(log.info)
    with announcing(name) as announcer:

        def report(progress: Progress) -> None:
            announcer.progress = progress
            lines(progress)

        memory = Memory(
            slots=settings.SLOTS,
            context=settings.CONTEXT,
            free=_free_on_gpu,
            dtype="" if settings.DTYPE == "auto" else settings.DTYPE,
        )
        fetch(settings.MODEL, memory=None if is_divided else memory, report=report, check=check or any_model)


def await_configured_model() -> None:
    """Returns when another process of this host has fetched GROKWEB_MODEL; whoever started both ends this one
    if the other fails."""
    if settings.MODEL.startswith(SCHEME):
        name = parse_name(settings.MODEL)
        while not fetched_folder(name):
            time.sleep(LOOK_SECONDS)


def folder_of_settings() -> Path:
    """Returns the folder that GROKWEB_MODEL names; a model by name must be here already."""
    if not settings.MODEL.startswith(SCHEME):
        return Path(settings.MODEL)
    name = parse_name(settings.MODEL)
    return fetched_folder(name) or MODELS / name.folder


def withdraw_failed_fetch(slug: str) -> None:
    """Withdraws the failure of an earlier start: the model is here now, or comes from another source."""
    with suppress(redis.RedisError), scripts.connect() as client:
        if fetch_of(client, slug).get("state") == State.FAILED:
            withdraw_fetch(client, slug)


class Announcer:
    """Announces the latest progress every second: Redis may be slow or away, the fetch goes on."""

    def __init__(self, name: HubName) -> None:
        self.name = name
        self.slug = settings.MODEL_SLUG or name.slug
        self.progress = Progress(str(name), State.PLANNING)
        self.ended = threading.Event()
        self._has_card = False

    def run(self) -> None:
        client = scripts.connect()
        while not self.ended.wait(ANNOUNCE_SECONDS):
            self._announce(client)
        self._announce(client)

    def _announce(self, client: redis.Redis) -> None:
        progress = self.progress
        with suppress(redis.RedisError):
            if progress.state is State.DONE:
                withdraw_fetch(client, self.slug)
                return
            seconds = FAILED_SECONDS if progress.state is State.FAILED else ALIVE_SECONDS
            announce_fetch(client, self.slug, progress.to_fields(), seconds=seconds, host=platform.node())
            if progress.context and not self._has_card:
                self._announce_card(client, progress.context)

    def _announce_card(self, client: redis.Redis, context: int) -> None:
        """Announces the model so that people can ask it; their questions wait until it is here."""
        if self.slug not in announced_models(client):
            about: dict[str, str | int] = {"name": self.name.name, "context": context, "longest": context}
            announce_model(client, self.slug, host=platform.node(), **about)
        self._has_card = True


@contextmanager
def announcing(name: HubName) -> Iterator[Announcer]:
    """Announces a fetch in a thread of its own while the block runs, and how it ended."""
    announcer = Announcer(name)
    thread = threading.Thread(target=announcer.run, name="announce-fetch", daemon=True)
    thread.start()
    try:
        yield announcer
    finally:
        announcer.ended.set()
        thread.join(5)


def _free_on_gpu() -> int | None:
    """Returns the bytes free on a GPU; None: the model gets this machine's memory."""
    import torch

    return torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else None
