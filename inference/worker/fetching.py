"""Fetches the model of this worker by name, before its engine is made."""

from __future__ import annotations

import logging

from inference import settings
from inference.hub.names import SCHEME, fetched_folder, parse_name

log = logging.getLogger("grokweb.hub")


def fetch_configured_model() -> None:
    """Returns when GROKWEB_MODEL is a model that is here; raises ModelUnusable if it cannot be fetched."""
    if not settings.MODEL.startswith(SCHEME) or fetched_folder(parse_name(settings.MODEL)):
        return
    from inference.hub.fetching import fetch  # loads the hub's library, which few workers need
    from inference.hub.planning import Memory
    from inference.hub.words import Lines

    memory = Memory(slots=settings.SLOTS, context=settings.CONTEXT, free=_free_on_gpu())
    fetch(settings.MODEL, memory=memory, report=Lines(log.info))


def _free_on_gpu() -> int | None:
    """Returns the bytes free on a GPU; None: the model gets this machine's memory."""
    import torch

    return torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else None
