"""One rank of several that run the small reference model together; started by torchrun in test_grok1_parallel.py.

`torchrun --nproc-per-node 2 grok1_ranks.py OUT`: rank 0 writes what it answered to OUT/answers.npz, and every rank
the sizes of its share to OUT/share<rank>.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from grok1_golden import DATA, by_class, load_golden, spoken
from transformers import AutoModelForCausalLM
from transformers.distributed import DistributedConfig

CLASS_PROMPTS = ("len2", "len16", "pad_inside")
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
            weight = model.get_parameter(f"model.layers.3.{name}")
            share[f"{way}/{name}"] = list(getattr(weight, "to_local", lambda: weight)().shape)
        for prompt in CLASS_PROMPTS:
            answers[f"{way}/{prompt}"] = by_class(model, *spoken(golden, prompt))
    return answers, share


def main(out: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    answers, share = class_answers()
    rank = dist.get_rank()
    (out / f"share{rank}.json").write_text(json.dumps(share))
    if rank == 0:
        np.savez(out / "answers.npz", **answers)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
