"""The entry of local.py in the table of engines: light until `create`, which imports torch."""

from __future__ import annotations

from pathlib import Path

from inference.engines.base import Engine
from inference.engines.entry import ModelAbout


class ModelFolder:
    """Serves a folder as docs/model.md describes it."""

    label = "a model folder"

    def describe(self, model: str) -> ModelAbout:
        from inference.hub.names import licence_of
        from inference.model_dir.describe import describe  # reads headers of weights

        files = describe(Path(model))
        return ModelAbout(
            slug=files.slug,
            name=files.name,
            context=files.context,
            is_demo=files.is_demo,
            about=files.about,
            titles=files.titles,
            sampling=files.sampling,
            licence=licence_of(Path(model)),
        )

    def usable_context(self, model: str, wanted: int) -> int:
        from inference.model_dir.admission import bound_context
        from inference.model_dir.describe import describe

        return bound_context(describe(Path(model)), wanted).context

    def create(self, model: str, *, slots: int, threads: int, cache_bytes: int, context: int) -> Engine:
        from inference.model_dir.describe import describe
        from inference.model_dir.read_ahead import read_ahead

        read_ahead(describe(Path(model)).shards)
        from inference.engines.local import LocalEngine  # torch
        from inference.settings import DATA_DIR, DTYPE

        return LocalEngine(
            model,
            slots=slots,
            threads=threads,
            cache_bytes=cache_bytes,
            context=context,
            checks=DATA_DIR / "self-checks",
            dtype="" if DTYPE == "auto" else DTYPE,
        )
