"""The native step beside torch's: a network of 157 million weights, one thread, in turns.

Random weights, since only the speed is asked for; the same tokens for both.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.loading import make_folder
from tests.bench.report import Figure, figure

ROUNDS = 3
BANDWIDTH_ROUNDS = 5
CONTEXT = 256
READ = 64  # tokens of each row before it is measured
SIZES: dict[str, Any] = {
    "model_type": "grok1",
    "vocab_size": 32_768,
    "hidden_size": 768,
    "intermediate_size": 768,
    "num_hidden_layers": 9,
    "num_attention_heads": 12,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "max_position_embeddings": CONTEXT,
}
BATCHES = {1: 16, 4: 8, 16: 4, 64: 2}  # rows, and steps of a round


def decode(step: Any, ids: list[int], rows: int, steps: int) -> float:
    """Tokens a second of `rows` conversations at once."""
    for row in range(rows):
        step.step(ids[:READ], [row] * READ, range(READ), [1] * READ, [READ - 1])
    begun = time.perf_counter()
    for i in range(READ, READ + steps):
        tokens = [ids[(i + 7 * row) % len(ids)] for row in range(rows)]
        step.step(tokens, range(rows), [i] * rows, [0] * rows, range(rows))
    return rows * steps / (time.perf_counter() - begun)


def prefill(step: Any, ids: list[int]) -> float:
    """Tokens a second of one prompt in one piece."""
    begun = time.perf_counter()
    step.step(ids, [0] * len(ids), range(len(ids)), [1] * len(ids), [len(ids) - 1])
    return len(ids) / (time.perf_counter() - begun)


def active_bytes(folder: Path) -> int:
    """What one token makes the native step read: all but the experts that are not chosen; no cache."""
    from inference.grok1.layout import SCALE
    from inference.headers import read_headers, weight_files

    share = SIZES["num_experts_per_tok"] / SIZES["num_local_experts"]
    total = 0
    for name, stored in read_headers(weight_files(folder)).items():
        size = 4 * stored.numbers if name.endswith(SCALE) else stored.bytes
        total += int(size * share) if "experts" in name else size
    return total


def bandwidth() -> float:
    """Bytes a second that one thread reads from memory: the sum of 1 GB of whole numbers."""
    import numpy as np

    block = np.ones(2**27, dtype=np.int64)
    begun = time.perf_counter()
    block.sum()
    return block.nbytes / (time.perf_counter() - begun)


def of_bandwidth(name: str, step: Any, ids: list[int], folder: Path) -> Figure:
    """Bytes of weights a second at batch 1 beside what one thread reads at most."""
    ours, most = [], []
    for _ in range(BANDWIDTH_ROUNDS):
        ours.append(decode(step, ids, 1, 24) * active_bytes(folder) / 1e9)
        most.append(bandwidth() / 1e9)
    return figure(
        f"native step, {name}: weights read, 1 at once, against memory",
        ours,
        "GB/s",
        better="higher",
        against=most,
        floor=0.5,
        aim=0.8,
    )


def compare(name: str, native: Any, torchs: Any, ids: list[int], floors: bool) -> list[Figure]:
    figures = []
    ways: dict[str, Callable[[Any], float]] = {
        f"{rows} at once": lambda step, rows=rows, steps=steps: decode(step, ids, rows, steps)
        for rows, steps in BATCHES.items()
    }
    ways["prompt of 200"] = lambda step: prefill(step, ids[:200])
    for way, measure in ways.items():
        ours, theirs = [], []
        for number in range(ROUNDS + 1):
            pair = (measure(native), measure(torchs))
            if number:  # the first round only warms up
                ours.append(pair[0])
                theirs.append(pair[1])
        figures.append(
            figure(
                f"native step, {name}: {way}",
                ours,
                "tokens/s",
                better="higher",
                against=theirs,
                floor=1.0 if floors else None,
            )
        )
    return figures


def run() -> list[Figure]:
    import torch

    from inference.grok1.network import open_for_packing
    from inference.grok1.quantize import quantise_folder
    from inference.grok1.step import TorchStep, load_for_serving
    from inference.native.step import NativeStep

    torch.set_num_threads(1)
    ids = torch.randint(400, 4_000, (CONTEXT,), generator=torch.Generator().manual_seed(1)).tolist()
    rows = max(BATCHES)
    figures = []
    with tempfile.TemporaryDirectory() as place:
        floats, int8 = Path(place) / "floats", Path(place) / "int8"
        make_folder(floats, SIZES)
        quantise_folder(floats, int8)
        for name, folder in (("float32", floats), ("int8", int8)):
            native = NativeStep(open_for_packing(folder), rows, CONTEXT)
            torchs = TorchStep(load_for_serving(folder), rows, CONTEXT)
            # torch's int8 kernel rounds to bfloat16 and is the fastest it has.
            figures += compare(f"{name} against torch's", native, torchs, ids, floors=True)
            figures.append(of_bandwidth(name, native, ids, folder))
    return figures
