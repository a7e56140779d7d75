"""One rank of several that run the small reference model together; test_grok1_parallel.py starts them.

`torchrun --nproc-per-node 2 grok1_ranks.py OUT`: rank 0 writes what it answered to OUT/answers.npz, and every
rank the sizes of its share to OUT/share<rank>.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from transformers import AutoModelForCausalLM
from transformers.distributed import DistributedConfig

from inference.grok1.network import Constants
from inference.grok1.parallel import ParallelStep, Share
from tests.inference.grok1_golden import (
    DATA,
    by_class,
    feed,
    load_config,
    load_golden,
    load_int8,
    load_weights,
    spoken,
)

PROMPTS = ("len7", "pad_inside")
WAYS = {
    "tp": {"tp_size": 2},
    "ep": {"tp_size": 2, "ep_size": 2},
}


def class_answers() -> tuple[dict[str, np.ndarray], dict[str, list[int]]]:
    """The transformers class under each plan: logits of every prompt, and the sizes of this rank's share."""
    golden, answers, share = load_golden(), {}, {}
    for way, sizes in WAYS.items():
        model = AutoModelForCausalLM.from_pretrained(
            DATA, dtype=torch.float32, distributed_config=DistributedConfig(**sizes)
        ).eval()
        for name in ("self_attn.q_proj.weight", "moe.experts.gate_up_proj", "moe.experts.down_proj"):
            share[f"class {way}/{name}"] = list(
                model.get_parameter(f"model.layers.3.{name}").to_local().shape
            )
        for prompt in PROMPTS:
            tokens, later = spoken(golden, prompt)
            answers[f"class {way}/{prompt}"] = by_class(model, tokens, later[:6])
    return answers, share


def step_answers() -> tuple[dict[str, np.ndarray], dict[str, list[int]]]:
    """The engine's step with slices of experts, whole ones, and int8; rank 0 leads, the others follow."""
    golden, answers, share = load_golden(), {}, {}
    constants, floats, int8 = Constants.of(load_config()), load_weights(), load_int8()
    for way, whole, weights in (
        ("step tp", False, floats),
        ("step ep", True, floats),
        ("step tp int8", False, int8),
        ("step ep int8", True, int8),
    ):
        part = Share(dist.get_rank(), dist.get_world_size(), whole)
        mine = {name: part.of(name, tensor) for name, tensor in weights.items()}
        network = part.network(constants, mine, exact=True)
        step = ParallelStep(network, rows=3, context=128)
        share[f"{way}/keys"] = list(step.keys.shape)
        for i, (gate_up, down) in enumerate(
            zip(network.layers[3].gate_up, network.layers[3].down, strict=True)
        ):
            if weights is floats:
                share[f"{way}/expert {i}"] = [len(gate_up), down.shape[1]]
        if dist.get_rank() != 0:
            step.follow()
            continue
        for prompt in PROMPTS:
            tokens, later = spoken(golden, prompt)
            answers[f"{way}/{prompt}"] = beside_a_stranger(step, tokens, later[:8])
            refuse(step)
        step.clear()
        tokens, _ = spoken(golden, "pad_inside")
        answers[f"{way} again/pad_inside"] = feed(step, 2, tokens, 0, hide=1, chunk=5)
        step.stop()
    return answers, share


def beside_a_stranger(step: ParallelStep, tokens: list[int], later: list[int]) -> np.ndarray:
    """Logits after each token in row 1: first in chunks, then one by one, while row 0 goes on."""
    out, ids = [], tokens + later
    place = stranger = 0
    while place < len(ids):
        n = min(5, len(tokens) - place) if place < len(tokens) else 1
        theirs = 2 if stranger == 0 else 1
        out.append(
            step.step(
                [*range(11, 11 + theirs), *ids[place : place + n]],
                [0] * theirs + [1] * n,
                [*range(stranger, stranger + theirs), *range(place, place + n)],
                [0] * theirs + [int(place < len(tokens))] * n,
                range(theirs, theirs + n),
            )
        )
        place, stranger = place + n, stranger + theirs
    return torch.cat(out).numpy()


def refuse(step: ParallelStep) -> None:
    """A request that rank 0 refuses must not reach the others, or they would wait for a sum that never
    comes.
    """
    try:
        step.step([1], [99], [0], [0], [0])
    except ValueError:
        return
    raise AssertionError("row 99 was not refused")


def main(out: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    answers, share = class_answers()
    more = step_answers()
    answers, share = answers | more[0], share | more[1]
    rank = dist.get_rank()
    (out / f"share{rank}.json").write_text(json.dumps(share))
    if rank == 0:
        np.savez(out / "answers.npz", **answers)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
