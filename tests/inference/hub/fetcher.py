"""Fetches from a fake hub into a folder of a test's own, and divides weights into files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from inference.base.outbound import Listed
from inference.hub.client import Hub
from inference.hub.fetching import fetch
from inference.hub.names import parse_name
from inference.hub.planning import Check, Memory, any_model
from inference.hub.progress import Progress, State
from inference.model_dir.headers import ModelUnusable
from tests.inference.hub.fake_hub import FakeHub

NAME = "hf:acme/tiny"
WEIGHTS = "model.safetensors"


class Fetcher:
    """Fetches from a fake hub. `waits` are the pauses it would have made; `reports` what it reported."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.waits: list[float] = []
        self.reports: list[Progress] = []

    def __call__(
        self,
        hub: FakeHub,
        name: str = NAME,
        *,
        token: str = "",
        listed: Listed | None = None,
        memory: Memory | None = None,
        check: Check = any_model,
    ) -> Path:
        client = Hub(parse_name(name), endpoint=hub.url, token=token, listed=listed, sleep=self.waits.append)
        return fetch(name, root=self.root, memory=memory, report=self.reports.append, hub=client, check=check)

    @property
    def folders(self) -> list[str]:
        """Returns the models that are here."""
        return sorted(path.name for path in self.root.iterdir() if path.name != ".fetching")


def refusal(fetching: Fetcher, hub: FakeHub, **options: object) -> str:
    """Returns the line of a fetch that must fail, and that leaves no model."""
    with pytest.raises(ModelUnusable) as refused:
        fetching(hub, **options)
    line = str(refused.value)
    assert "\n" not in line
    assert fetching.folders == []
    assert fetching.reports[-1].state is State.FAILED
    assert fetching.reports[-1].error == line
    return line


def in_two_shards(folder: Path) -> list[str]:
    """Divides the weights of a folder into two files with an index; returns their names."""
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    halves = names[: len(names) // 2], names[len(names) // 2 :]
    files = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    for file, half in zip(files, halves, strict=True):
        save_file({name: tensors[name] for name in half}, folder / file, {"format": "pt"})
    weight_map = {name: file for file, half in zip(files, halves, strict=True) for name in half}
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors").unlink()
    return files
