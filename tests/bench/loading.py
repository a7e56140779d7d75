"""Measures, on one thread, the time from a folder to the first token, and the gain of int8."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.report import ROOT, Figure, figure

DEMO = ROOT / "inference" / "demo" / "model"
EMBEDDING = "model.embed_tokens.weight"
STARTS, ROUNDS, TOKENS = 5, 7, 24
# Grok-1 at a quarter of its width, one block: 310 million weights, 87 million at work for a token. Narrower
# ones fit the processor's cache, which no real model does.
SIZES = {
    "model_type": "grok1",
    "vocab_size": 4_096,  # the demo's tokenizer
    "hidden_size": 1_536,
    "intermediate_size": 8_192,
    "num_hidden_layers": 1,
    "num_attention_heads": 12,
    "num_key_value_heads": 2,
    "head_dim": 128,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "max_position_embeddings": 1_024,
    "embedding_multiplier": 39.191835884530846,
}

# Asks `engine` one question; `first` is when the first piece of the answer came.
ASK = """
events = queue.SimpleQueue()
engine.start(lambda some: [events.put((time.time(), event)) for event in some])
words = {"role": "user", "content": sys.argv[2]}
engine.submit(GenerationRequest("a", 1, engine.slug, (words,), 8, 0, Sampling(0)), ())
first = 0.0
while True:
    at, event = events.get(timeout=300)
    if isinstance(event, Delta):
        first = first or at
    if isinstance(event, Ended):
        break
engine.stop()
assert first, event
"""
# What a worker does between `import torch` and the first token, and the memory that it takes for it.
CHILD = f"""
import json, queue, sys, time
import torch
torch.set_num_threads(1)
begun = time.time()
from inference.contract import Delta, Ended, GenerationRequest, Sampling
from inference.engines import load_engine
import inference.engines.local

def resident(key):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

if len(sys.argv) > 3:  # what transformers takes is not counted
    import transformers.models.olmoe.modeling_olmoe
    import inference.hf_models.self_check
    import inference.hf_models.loading
torch.mm(torch.ones(64, 64), torch.ones(64, 64))
bare = resident("VmRSS")
engine = load_engine(sys.argv[1], slots=1, threads=1)
{ASK}
print(json.dumps({{
    "seconds": first - begun,
    "bytes": resident("VmHWM") - bare,
    "stays": resident("VmRSS") - bare,
    "cache": engine._scheduler._step._step.cache_bytes,
    "packed": engine.back_end.startswith("native"),
}}))
"""


def start(
    folder: Path, words: str, dtype: str = "", child: str = CHILD, **environment: str
) -> dict[str, float]:
    """Serves one reply in a process of its own and returns what it prints; `dtype` for a folder of
    transformers. Bytes are of memory at most and at the end, less what the process had before loading."""
    done = subprocess.run(
        [sys.executable, "-c", child, str(folder), words, *filter(None, [dtype])],
        cwd=ROOT,
        env={**os.environ, "GROKWEB_DTYPE": dtype or "auto", **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def make_folder(out: Path, sizes: dict[str, Any] = SIZES, *, released: bool = False) -> None:
    """Random float32 weights of these sizes; `released`: the embedding in bfloat16, as in xAI's release."""
    import torch
    from safetensors.torch import save_file

    from inference.model_dir.grok1_tensors import tensors_of

    out.mkdir()
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for one in tensors_of(sizes, out):
        norm = "norm" in one.name
        tensors[one.name] = (
            torch.ones(one.shape) if norm else torch.randn(one.shape, generator=generator).mul_(0.02)
        )
    if released:
        tensors[EMBEDDING] = tensors[EMBEDDING].bfloat16()
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    (out / "config.json").write_text(json.dumps(sizes))
    shutil.copyfile(DEMO / "tokenizer.model", out / "tokenizer.model")


def decode(floats: Path, int8: Path) -> list[Figure]:
    """Tokens a second of one row, the forms of the weights in turns."""
    import torch

    from inference.grok1.step import TorchStep, load_for_serving

    torch.set_num_threads(1)
    steps = {
        "float32": TorchStep(load_for_serving(floats), rows=1, context=64),
        "bfloat16": TorchStep(load_for_serving(floats, torch.bfloat16), rows=1, context=64),
        "int8": TorchStep(load_for_serving(int8), rows=1, context=64),
    }
    ids = torch.randint(400, 4_000, (64,), generator=torch.Generator().manual_seed(1)).tolist()
    speeds: dict[str, list[float]] = {form: [] for form in steps}
    for number in range(ROUNDS + 1):
        for form, step in steps.items():
            step.step(ids[:16], [0] * 16, range(16), [1] * 16, [15])
            begun = time.perf_counter()
            for i in range(16, 16 + TOKENS):
                step.step([ids[i]], [0], [i], [0], [0])
            if number:  # the first round only warms up
                speeds[form].append(TOKENS / (time.perf_counter() - begun))
    name = "310 million weights, one token at a time"
    return [
        figure(
            f"int8 decode against {form}: {name}",
            speeds["int8"],
            "tokens/s",
            better="higher",
            against=speeds[form],
            floor=floor,
        )
        for form, floor in (("bfloat16", 1.5), ("float32", None))
    ]


def run() -> list[Figure]:
    starts = [start(DEMO, "Hello") for _ in range(STARTS)]
    figures = [
        figure(
            "first token of the demo model after import torch",
            [one["seconds"] for one in starts],
            "s",
            floor=3.0,
            aim=1.0,
        )
    ]
    with tempfile.TemporaryDirectory() as place:
        floats, int8 = Path(place) / "floats", Path(place) / "int8"
        make_folder(floats)
        from inference.grok1.quantize import quantise_folder

        quantise_folder(floats, int8)
        figures += decode(floats, int8)
    return figures
