"""Fixtures of the tests of `inference`: one thread, the demo model in floats, requests to other machines."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.base.outbound import count_with
from inference.demo.train import seal
from inference.model_dir.grok1_tensors import SCALE
from inference.networks.int8 import Int8Matrix
from tests.inference.outbound_servers import Authority

DEMO = Path(__file__).parents[2] / "inference" / "demo" / "model"


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Two threads that contend for a core take 70 times as long; and sums then have one order."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def demo_floats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo model, which is shipped in int8, with each weight as the float32 that it stands for."""
    out = tmp_path_factory.mktemp("floats") / "demo"
    shutil.copytree(DEMO, out)
    stored = load_file(DEMO / "model.safetensors")
    floats = {
        name: _floats(tensor, stored[name + SCALE]) if tensor.dtype == torch.int8 else tensor
        for name, tensor in stored.items()
        if not name.endswith(SCALE)
    }
    save_file(floats, out / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((DEMO / "config.json").read_text())
    config.pop("quantization_config", None)
    (out / "config.json").write_text(json.dumps(config))
    seal(out)
    return out


def _floats(values: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    if values.dim() == 2:
        return Int8Matrix(values, scale).dequantised()
    return torch.stack([Int8Matrix(v, s).dequantised() for v, s in zip(values, scale, strict=True)])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def counted() -> Iterator[list[tuple[str, str]]]:
    """Purpose and outcome of each request to another machine that ended during the test."""
    seen: list[tuple[str, str]] = []
    stop = count_with(lambda purpose, outcome: seen.append((purpose, outcome)))
    yield seen
    stop()
