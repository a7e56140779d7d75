"""The native step beside torch's and llama.cpp: a network of 157 million weights, one thread, in turns.

Random weights, since only the speed is asked for; the same weights and tokens for all. In int8 the embedding
is bfloat16, as in xAI's release; llama.cpp has its own int8 (q8_0), the embedding too, and once more with the
embedding as the release has it: a third of what a token reads here, a hundredth in Grok-1.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.bench.llamacpp import LlamaStep, is_built, write_gguf
from tests.bench.loading import make_folder
from tests.bench.report import Figure, figure

ROUNDS = 5
CONTEXT = 256
LLAMA, SAME_EMBEDDING = "llama.cpp", "llama.cpp with the embedding in bfloat16"
EMBEDDING = "model.embed_tokens.weight"
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
    "max_position_embeddings": 1_024,
}
BATCHES = {1: 24, 4: 10, 16: 5, 64: 3}  # rows, and steps of a round
PROMPTS = (200, 1_000)
ONE, SIXTEEN, SHORT = "1 at once", "16 at once", "a prompt of 200"  # ways that torch has floors for
WAYS = (*(f"{rows} at once" for rows in BATCHES), *(f"a prompt of {length}" for length in PROMPTS))
# Of the native step and torch's, as shares of llama.cpp's tokens/s: (floor, aim) by way.
AGAINST_LLAMA: dict[str, tuple[tuple[float, float], ...]] = {
    "float32": ((1.1, 1.4), (1.4, 1.8), (1.8, 2.5), (1.7, 2.8), (2.0, 3.0), (2.0, 3.0)),
    "int8": ((1.3, 1.8), (1.5, 2.2), (3.0, 4.5), (3.5, 6.0), (4.0, 6.0), (4.0, 6.0)),
}
TORCH_AGAINST_LLAMA = {ONE: (0.35, 0.5), SIXTEEN: (0.8, 1.5), SHORT: (1.3, 3.0)}
Speeds = Mapping[str, Mapping[str, list[float]]]  # tokens/s of each round by way and engine


def read(step: Any, ids: list[int], rows: int) -> None:
    """Fills the rows before they are measured."""
    for row in range(rows):
        step.step(ids[:READ], [row] * READ, range(READ), [1] * READ, [READ - 1])


def decode(step: Any, ids: list[int], rows: int, steps: int) -> float:
    """Tokens a second of `rows` conversations at once; always the same places, over what was there."""
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


def active_bytes(folder: Path, *, int8_head: bool) -> int:
    """Returns the bytes that the native step reads for a token: all but unchosen experts, without the cache.

    `int8_head`: the logits are made with the embedding in int8, a float32 scale for each HEAD_BLOCK inputs.
    """
    from inference.model_dir.admission import HEAD_BLOCK
    from inference.model_dir.grok1_tensors import SCALE
    from inference.model_dir.headers import read_headers, weight_files

    share = SIZES["num_experts_per_tok"] / SIZES["num_local_experts"]
    total = 0
    for name, stored in read_headers(weight_files(folder)).items():
        size = 4 * stored.numbers if name.endswith(SCALE) else stored.bytes
        if int8_head and name == EMBEDDING:
            size = stored.numbers + 4 * stored.numbers // HEAD_BLOCK
        total += int(size * share) if "experts" in name else size
    return total


def bandwidth() -> float:
    """Bytes a second that one thread reads from memory: the sum of 1 GB of whole numbers."""
    import numpy as np

    block = np.ones(2**27, dtype=np.int64)
    begun = time.perf_counter()
    block.sum()
    return block.nbytes / (time.perf_counter() - begun)


def of_bandwidth(form: str, step: Any, ids: list[int], folder: Path) -> Figure:
    """Bytes of weights a second at batch 1 beside what one thread reads at most."""
    ours, most = [], []
    size = active_bytes(folder, int8_head=step.precision == "int8 by int8")
    read(step, ids, 1)
    for _ in range(ROUNDS):
        ours.append(decode(step, ids, 1, 24) * size / 1e9)
        most.append(bandwidth() / 1e9)
    name = f"{form}: weights read by the native step, 1 at once, against memory"
    return figure(name, ours, "GB/s", better="higher", against=most, floor=0.5, aim=0.8)


def measure(engines: Mapping[str, Callable[[int, int], Any]], ids: list[int]) -> Speeds:
    """Every engine in every way, in turns; an engine is made for (rows, context)."""
    speeds: dict[str, dict[str, list[float]]] = {}

    def rounds(ways: Mapping[str, Callable[[Any], float]], steps: Mapping[str, Any]) -> None:
        for number in range(ROUNDS + 1):
            for way, run_one in ways.items():
                for name, step in steps.items():
                    speed = run_one(step)
                    if number:  # the first round only warms up
                        speeds.setdefault(way, {}).setdefault(name, []).append(speed)

    for rows, count in BATCHES.items():
        steps = {name: make(rows, CONTEXT) for name, make in engines.items()}
        for step in steps.values():
            read(step, ids, rows)
        rounds({f"{rows} at once": lambda step, r=rows, n=count: decode(step, ids, r, n)}, steps)
    steps = {name: make(1, SIZES["max_position_embeddings"]) for name, make in engines.items()}
    rounds({f"a prompt of {n}": lambda step, n=n: prefill(step, (4 * ids)[:n]) for n in PROMPTS}, steps)
    return speeds


def compare(form: str, speeds: Speeds) -> list[Figure]:
    """The native step's figures in this form, way by way."""
    figures = []
    for way, (floor, aim) in zip(WAYS, AGAINST_LLAMA[form], strict=True):
        by = speeds[way]
        name = f"{form}: native step against"
        against = {"torch's": (by["torch"], 1.0, None)}
        if LLAMA in by:
            against[LLAMA] = (by[LLAMA], floor, aim)
        if SAME_EMBEDDING in by:
            against[SAME_EMBEDDING] = (by[SAME_EMBEDDING], floor, aim)
        figures += [
            figure(
                f"{name} {whose}, {way}",
                by["native"],
                "tokens/s",
                better="higher",
                against=theirs,
                floor=low,
                aim=high,
            )
            for whose, (theirs, low, high) in against.items()
        ]
    return figures


def fallback(measured: Mapping[str, Speeds]) -> list[Figure]:
    """Torch's step against llama.cpp, each way in the form in which it does best."""
    figures = []
    for way, (floor, aim) in TORCH_AGAINST_LLAMA.items():
        forms = [
            figure(
                f"{form}: torch's step against llama.cpp, {way}",
                speeds[way]["torch"],
                "tokens/s",
                better="higher",
                against=speeds[way][LLAMA],
                floor=floor,
                aim=aim,
            )
            for form, speeds in measured.items()
        ]
        figures.append(max(forms, key=lambda one: one.judged))
    return figures


def run() -> list[Figure]:
    import torch

    from inference.grok1.network import open_for_packing
    from inference.grok1.quantize import quantise_folder
    from inference.grok1.step import TorchStep, load_for_serving
    from inference.native.step import NativeStep

    torch.set_num_threads(1)
    ids = torch.randint(400, 4_000, (CONTEXT,), generator=torch.Generator().manual_seed(1)).tolist()
    figures: list[Figure] = []
    measured: dict[str, Speeds] = {}
    with tempfile.TemporaryDirectory() as place:
        floats, released, int8 = Path(place) / "floats", Path(place) / "released", Path(place) / "int8"
        make_folder(floats, SIZES)
        make_folder(released, SIZES, released=True)
        quantise_folder(released, int8)
        if not is_built():
            print("llama.cpp is not installed: not compared with it")
        for form, folder, theirs in (("float32", floats, "F32"), ("int8", int8, "Q8_0")):
            engines: dict[str, Callable[[int, int], Any]] = {
                "native": lambda rows, context, at=folder: NativeStep(open_for_packing(at), rows, context),
                # In int8 torch's kernel rounds to bfloat16 and is the fastest it has.
                "torch": lambda rows, context, at=folder: TorchStep(load_for_serving(at), rows, context),
            }
            if is_built():
                file = Path(place) / f"{theirs}.gguf"
                write_gguf(floats, file, theirs)
                engines[LLAMA] = lambda rows, context, at=file: LlamaStep(at, rows, context)
            if is_built() and form == "int8":
                as_released = Path(place) / "as-released.gguf"
                write_gguf(floats, as_released, theirs, "BF16")
                engines[SAME_EMBEDDING] = lambda rows, context, at=as_released: LlamaStep(at, rows, context)
            measured[form] = measure(engines, ids)
            figures += compare(form, measured[form])
            figures.append(of_bandwidth(form, engines["native"](1, CONTEXT), ids, folder))
    return figures + (fallback(measured) if is_built() else [])
