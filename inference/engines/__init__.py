"""Lists the engines. To add one: a class with entry.EngineEntry's methods, a line here, its tests.

A distribution adds one by an entry point of the group `grokweb.engines` (docs/extending.md).
"""

from __future__ import annotations

from pathlib import Path

from inference.base.registry import Registry, UnknownEntry
from inference.engines.base import Engine
from inference.engines.entry import Asked, EngineEntry, ModelAbout, Remote
from inference.servers.address import is_address

SERVER = "openai"  # serves a GROKWEB_MODEL that is a URL
FOLDER = "local"  # serves a GROKWEB_MODEL that names no engine: the path of a folder
ENGINES: Registry[type[EngineEntry]] = Registry(
    "grokweb.engines",
    {
        FOLDER: "inference.engines.local_entry.ModelFolder",
        "hf": "inference.engines.hub_model.HubModel",
        "openai": "inference.engines.openai.OpenAIServer",
        "scripted": "inference.engines.scripted.Scripted",
    },
    noun="engine",
    required=("label", "describe", "usable_context", "create"),
)


def engine_for(configured: str) -> tuple[EngineEntry, str]:
    """Reads a value of GROKWEB_MODEL: a URL, `<engine>:<model>`, an engine's name alone, or a folder.

    Raises RegistryError for an engine that cannot be loaded, or that does not exist: a path with a colon is a
    folder if there is such a folder, and what stands before the colon is not an engine's name.
    """
    if is_address(configured):
        return ENGINES.load(SERVER)(), configured
    name, colon, model = configured.partition(":")
    if name in ENGINES:
        return ENGINES.load(name)(), model
    if colon and "/" not in name and not Path(configured).exists():
        engines = ", ".join(ENGINES)
        raise UnknownEntry(f"there is no such folder, and no engine {name!r}; engines are: {engines}")
    return ENGINES.load(FOLDER)(), configured


def describe_model(configured: str) -> ModelAbout:
    """Returns what is known of GROKWEB_MODEL without loading it; raises ModelUnusable or RegistryError."""
    entry, model = engine_for(configured)
    return entry.describe(model)


def ask_model(configured: str, key: str | None = None) -> Asked:
    """Asks the servers of a model whether they will answer; a model that runs here has nothing to say.

    Raises ModelUnusable or RegistryError, as describe_model does.
    """
    entry, model = engine_for(configured)
    return entry.ask(model, key) if isinstance(entry, Remote) else Asked()


def load_engine(
    configured: str, *, slots: int, threads: int, cache_bytes: int = 0, context: int = 0
) -> Engine:
    """Returns the engine for a value of GROKWEB_MODEL, not started yet.

    `cache_bytes` cache the beginnings of conversations for their next turn, in addition to the slots' own.
    `context`: longest prompt with its answer, in tokens; 0: as long as model and memory allow.
    Raises ModelUnusable for a model that cannot be served, and RegistryError for a broken engine.
    """
    entry, model = engine_for(configured)
    return entry.create(model, slots=slots, threads=threads, cache_bytes=cache_bytes, context=context)
