"""The entry in the table of engines for models by name: `GROKWEB_MODEL=hf:owner/name[@revision]`."""

from __future__ import annotations

from pathlib import Path

from inference.engines.base import Engine
from inference.engines.entry import ModelAbout
from inference.engines.local_entry import ModelFolder
from inference.hub.names import fetched_folder, parse_name
from inference.model_dir.headers import ModelUnusable


class HubModel:
    """Serves the folder of a model that was fetched; the model worker fetches it before it starts."""

    label = "a model of a hub, by name"

    def describe(self, model: str) -> ModelAbout:
        name = parse_name(model)
        folder = fetched_folder(name)
        if folder is None:
            return ModelAbout(slug=name.slug, name=name.name)  # the rest is known when it is here
        return ModelFolder().describe(str(folder))

    def usable_context(self, model: str, wanted: int) -> int:
        folder = fetched_folder(parse_name(model))
        return 0 if folder is None else ModelFolder().usable_context(str(folder), wanted)

    def create(self, model: str, *, slots: int, threads: int, cache_bytes: int, context: int) -> Engine:
        return ModelFolder().create(
            str(self._folder(model)), slots=slots, threads=threads, cache_bytes=cache_bytes, context=context
        )

    def _folder(self, model: str) -> Path:
        name = parse_name(model)
        folder = fetched_folder(name)
        if folder is None:
            raise ModelUnusable(
                f"{name} was not fetched yet: its model worker fetches it when it starts; "
                f"run `manage.py up` with GROKWEB_MODEL={name}"
            )
        return folder
