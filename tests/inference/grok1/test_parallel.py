"""Two processes that share the network between them give xAI's answers (torchrun, gloo, CPU)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

from inference.grok1.network import Constants
from inference.grok1.parallel import ParallelStep, Share, load_share
from tests.inference.grok1_golden import (
    FLOAT32_SD,
    Golden,
    load_config,
    load_golden,
    load_weights,
    off_by,
    reference,
)
from tests.inference.torchrun import ROOT, TORCHRUN

DEMO = ROOT / "inference" / "demo" / "model"


@pytest.fixture(scope="module")
def golden() -> Golden:
    return load_golden()


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the output of two ranks."""
    out = tmp_path_factory.mktemp("ranks")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [*TORCHRUN, "-m", "tests.inference.grok1_ranks", str(out)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    return out


@pytest.mark.parametrize(
    "way", ["class tp", "class ep", "step tp", "step ep", "step tp int8", "step ep int8"]
)
def test_two_ranks_give_the_recorded_answers(together: Path, golden: Golden, way: str) -> None:
    """Prefill and decode; the step in chunks, beside a stranger, with refused calls in between."""
    with np.load(together / "answers.npz") as answers:
        found = {name.split("/")[1]: answers[name] for name in answers.files if name.startswith(f"{way}/")}
    assert set(found) == {"len7", "pad_inside"}
    for prompt, ours in found.items():
        assert len(ours) > len(golden[f"{prompt}/tokens"])
        assert off_by(ours, reference(golden, prompt)[: len(ours)]) < FLOAT32_SD, prompt


@pytest.mark.parametrize("way", ["step tp", "step ep"])
def test_cleared_rows_are_as_new(together: Path, golden: Golden, way: str) -> None:
    with np.load(together / "answers.npz") as answers:
        ours = answers[f"{way} again/pad_inside"]
    assert off_by(ours, golden["pad_inside/prefill_logits_f32"]) < FLOAT32_SD


def test_each_rank_holds_half(together: Path) -> None:
    first, second = (json.loads((together / f"share{rank}.json").read_text()) for rank in (0, 1))
    for mine in (first, second):
        assert mine["class tp/self_attn.q_proj.weight"] == [48, 48]  # 3 of 6 heads of 16
        assert mine["class tp/moe.experts.gate_up_proj"] == [8, 256, 48]
        assert mine["class tp/moe.experts.down_proj"] == [8, 48, 128]
        assert mine["class ep/moe.experts.gate_up_proj"] == [4, 512, 48]
        assert mine["class ep/moe.experts.down_proj"] == [4, 48, 256]
        assert mine["step tp/keys"] == mine["step ep/keys"] == [11, 3, 128, 1, 16]  # 1 of 2 key heads
        assert [mine[f"step tp/expert {e}"] for e in range(8)] == [[256, 128]] * 8
    widths = [[mine[f"step ep/expert {e}"] for e in range(8)] for mine in (first, second)]
    assert widths == [[[512, 256]] * 4 + [[0, 0]] * 4, [[0, 0]] * 4 + [[512, 256]] * 4]


@pytest.mark.parametrize("whole_experts", [False, True])
def test_parts_of_int8_weights_keep_their_scales(whole_experts: bool) -> None:
    """Cutting integers and scales, then multiplying, is multiplying and then cutting."""
    rng = torch.Generator().manual_seed(0)
    shapes = {
        "self_attn.q_proj.weight": ((96, 48), 1),
        "self_attn.o_proj.weight": ((48, 96), 8),
        "moe.experts.gate_up_proj": ((8, 512, 48), 1),
        "moe.experts.down_proj": ((8, 48, 256), 8),
    }
    for name, (shape, groups) in shapes.items():
        whole = torch.randint(-127, 128, shape, generator=rng, dtype=torch.int8)
        scales = torch.rand(*shape[:-1], groups, generator=rng)
        value = whole * scales.repeat_interleave(shape[-1] // groups, dim=-1)
        for rank in range(2):
            share = Share(rank, 2, whole_experts)
            ours = share.of(f"model.layers.0.{name}", whole)
            its = share.of(f"model.layers.0.{name}_scale", scales)
            spread = its.repeat_interleave(ours.shape[-1] // its.shape[-1], dim=-1)
            assert torch.equal(ours * spread, share.of(f"model.layers.0.{name}", value)), name


def test_a_part_of_a_folder_is_read(demo_floats: Path) -> None:
    """The demo model: 2 key heads of 32, inner width 128, 8 experts."""
    cpu = torch.device("cpu")
    slices = load_share(demo_floats, Share(1, 2), torch.float32, cpu)
    whole = load_share(demo_floats, Share(1, 2, whole_experts=True), torch.bfloat16, cpu)
    assert slices.layers[0].qkv.shape[0] == whole.layers[0].qkv.shape[0] == (6 + 2 * 2) * 32 // 2
    assert {len(gate_up) for gate_up in slices.layers[0].gate_up} == {128}
    assert [len(gate_up) for gate_up in whole.layers[0].gate_up] == [0] * 4 + [256] * 4
    assert whole.embedding.dtype == torch.bfloat16
    assert whole.layers[0].router.dtype == torch.float32


@pytest.mark.parametrize(
    ("share", "constants", "words"),
    [
        (Share(0, 4), {}, "4 ranks cannot share key heads evenly: 2"),
        (Share(0, 2), {"intermediate_size": 255}, "inner width of an expert evenly: 255"),
        (Share(0, 2, whole_experts=True), {"num_local_experts": 7}, "experts evenly: 7"),
    ],
)
def test_a_network_that_cannot_be_split_over_the_ranks_is_refused(
    share: Share, constants: dict[str, int], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        share.check(replace(Constants.of(load_config()), **constants))
    Share(0, 2).check(Constants.of(load_config()))


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[ParallelStep, list[int]]]:
    """A step of one rank, and the statuses that it wanted its process to end with."""
    store = dist.FileStore(str(tmp_path / "store"), 1)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    ended: list[int] = []
    network = Share(0, 1).network(Constants.of(load_config()), load_weights())
    yield ParallelStep(network, 1, 32, exit=ended.append), ended
    dist.destroy_process_group()


def test_a_step_that_fails_half_way_ends_the_process(
    alone: tuple[ParallelStep, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other ranks wait for a sum that never comes; a refusal, which they never heard of, ends nothing."""
    step, ended = alone
    with pytest.raises(ValueError, match="row 1"):
        step.step([5], [1], [0], [1], [0])
    assert ended == []
    monkeypatch.setattr(dist, "all_reduce", lambda part: (_ for _ in ()).throw(RuntimeError("peer closed")))
    with pytest.raises(RuntimeError, match="peer closed"):
        step.step([5], [0], [0], [1], [0])
    assert ended == [70]


def test_shares_put_together_are_the_whole() -> None:
    """No row and no column is lost or held twice."""
    for name, tensor in load_weights().items():
        parts = [Share(rank, 2).of(name, tensor) for rank in range(2)]
        if parts[0].shape == tensor.shape:  # embedding, router and norms
            assert "proj" not in name
            continue
        assert sum(part.numel() for part in parts) == tensor.numel()
        torch.testing.assert_close(sum(part.double().sum() for part in parts), tensor.double().sum())
