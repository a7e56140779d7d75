"""Workers of models that are computed here share the processors, wherever the model was named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from grokweb.model_workers import ModelWorkers
from grokweb.service_plan import Plan
from inference.base.model_list.entries import Entry, ModelList

SERVER = "http://localhost:11434/v1#qwen3:30b"


@pytest.mark.parametrize(
    ("model", "tables", "threads"),
    [
        ("/models/a", {}, {"a": "8"}),
        ("/models/a", {"b": "/models/b"}, {"a": "4", "b": "4"}),
        (SERVER, {"b": "/models/b"}, {"a": "1", "b": "8"}),
        ("", {"b": "/models/b", "c": SERVER}, {"b": "8", "c": "1"}),
        ("", {}, {"a": "1"}),  # the demo model
    ],
)
def test_models_that_are_computed_here_share_the_processors(
    tmp_path: Path, model: str, tables: dict[str, str], threads: dict[str, str]
) -> None:
    given: dict[str, str] = {}

    def popen(command: Sequence[str], environment: Mapping[str, str]) -> Any:
        given[environment["GROKWEB_MODEL_SLUG"]] = environment["GROKWEB_THREADS"]

    def add(name: str, spawn: Any) -> Any:
        spawn()
        return cast(Any, type("Child", (), {}))()

    plan = Plan(
        data=tmp_path,
        run=tmp_path / "run",
        bind="127.0.0.1",
        port=1,
        host="localhost",
        address="http://localhost:1/",
        model_slug="a",
        model_name="A",
        slots=1,
        handover=0.0,
        redis_url="redis://127.0.0.1:1/0",
        is_configured=bool(model),
        models=ModelList({slug: Entry(slug, source) for slug, source in tables.items()}),
        threads=8,
    )
    workers = ModelWorkers(
        plan,
        environment={"GROKWEB_MODEL": model} if model else {},
        popen=popen,
        add=add,
        start=lambda child: None,
        forget=lambda child: None,
        say=lambda line: None,
    )
    workers.prepare()
    assert given == threads
