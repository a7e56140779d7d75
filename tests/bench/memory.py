"""Measures what a worker's process has in memory beside the size of its weights, and how long a start takes.

Each folder is loaded in a process of its own, which answers one question. Its memory is what the kernel
counts (VmHWM: anonymous memory and pages of mapped files), less its cache and what it had with all modules
imported. The weights count as they are served. A start begins with the interpreter, and the folder is on the
disk only; it is compared with reading the same files from the disk once.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.loading import ASK, make_folder, start
from tests.bench.report import Figure, figure

WORDS = " ".join(f"word {number}" for number in range(20))  # tokens enough to reach every expert
MOST, ROUNDS = 1.15, 3
READ_AT_ONCE = 2**22
# A worker without its queue.
WORKER = f"""
import json, queue, sys, time
from inference.contract import Delta, Ended, GenerationRequest, Sampling
from inference.engines import load_engine
engine = load_engine(sys.argv[1], slots=4, threads=1)
{ASK}
print(json.dumps({{"first": first}}))
"""
# Widths of OLMoE 1B-7B, with fewer layers and experts, in millions of weights: 67 in a layer, so 134 in two,
# and 134 in embedding and head: 268.
OLMOE: Mapping[str, Any] = {
    "hidden_size": 2_048,
    "intermediate_size": 1_024,
    "num_hidden_layers": 2,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "num_experts": 8,
    "num_experts_per_tok": 2,
    "vocab_size": 32_768,
    "max_position_embeddings": 256,  # the cache is not to hide anything
    "initializer_range": 0.02,
}
LARGE = {"num_hidden_layers": 3, "num_experts": 64, "num_experts_per_tok": 8, "vocab_size": 50_304}


def make_stock(out: Path, dtype: str, sizes: Mapping[str, Any] = OLMOE) -> Path:
    """Saves an OLMoE whose matrices repeat a million random numbers: drawing all takes minutes."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.initialization import no_init_weights

    from tests.inference.hf_folders import make_folder as make_small

    make_small(out, "olmoe")  # its tokenizer
    (out / "model.safetensors").unlink()
    config = AutoConfig.from_pretrained(out)
    for name, value in sizes.items():
        setattr(config, name, value)
    maker: Any = AutoModelForCausalLM
    with no_init_weights():
        model = maker.from_config(config, dtype=getattr(torch, dtype))
    drawn = torch.randn(2**20 - 3, generator=torch.Generator().manual_seed(0)).mul_(0.02)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.fill_(1)
            else:
                flat = parameter.view(-1)
                for part in flat.split(len(drawn)):
                    part.copy_(drawn[: len(part)])
    model.save_pretrained(out, max_shard_size="1GB")
    return out


def memory(folder: Path, name: str, dtype: str = "", **environment: str) -> list[Figure]:
    """Measures the most memory that a process had, and what it has when it has answered."""
    from inference.model_dir.admission import OVERHEAD_BYTES, needed_bytes
    from inference.model_dir.describe import describe

    with tempfile.TemporaryDirectory() as data:  # the network is checked each time
        took = start(folder, WORDS, dtype, GROKWEB_DATA=data, **environment)
    packed = took["packed"] > 0
    weights = needed_bytes(describe(folder), 0, dtype, packed=packed) - OVERHEAD_BYTES
    most, afterwards = ((took[key] - took["cache"]) / 1e6 for key in ("bytes", "stays"))
    return [
        figure(f"memory at most: {name}", [most], "MB", against=[weights / 1e6], floor=MOST),
        figure(f"memory afterwards: {name}", [afterwards], "MB", against=[weights / 1e6]),
    ]


def forget(folder: Path) -> None:
    """Drops the files from the page cache; those of others stay there."""
    for file in folder.iterdir():
        with file.open("rb") as data:
            os.fsync(data.fileno())
            os.posix_fadvise(data.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read(folder: Path) -> float:
    """Returns the seconds of reading all weights once."""
    begun = time.perf_counter()
    buffer = bytearray(READ_AT_ONCE)
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb", buffering=0) as data:
            while data.readinto(buffer):
                pass
    return time.perf_counter() - begun


def starts(folder: Path, name: str, data: Path) -> list[Figure]:
    """Measures a first start, which checks the network, and later ones, which remember the result."""
    reading: list[float] = []
    first: list[float] = []
    later: list[float] = []
    for number in range(ROUNDS):
        for times in (first, later):
            forget(folder)
            if times is later:
                reading.append(read(folder))
                forget(folder)
            begun = time.time()
            took = start(folder, WORDS, child=WORKER, GROKWEB_DATA=str(data / str(number)))
            times.append(took["first"] - begun)
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e9
    what = f"{size:.1f} GB, {name}, beside reading them"
    return [
        figure(f"start to first token: {what}", later, "s", against=reading, floor=2.0),
        figure(f"very first start to first token: {what}", first, "s", against=reading),
    ]


def run() -> list[Figure]:
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as place:
        floats, int8 = Path(place) / "floats", Path(place) / "int8"
        make_folder(floats)
        from inference.grok1.quantize import quantise_folder

        quantise_folder(floats, int8)
        for folder in (floats, int8):
            figures += memory(folder, f"Grok-1, {folder.name}, native")
            figures += memory(folder, f"Grok-1, {folder.name}, torch", GROKWEB_NATIVE="0")
    for stored, served in (("float32", ("float32", "bfloat16", "int8")), ("bfloat16", ("bfloat16", "int8"))):
        with tempfile.TemporaryDirectory() as place:
            folder = make_stock(Path(place) / "olmoe", stored)
            for dtype in served:
                figures += memory(folder, f"OLMoE, a {stored} folder in {dtype}", dtype)
    with tempfile.TemporaryDirectory() as place:
        folder = make_stock(Path(place) / "olmoe", "bfloat16", {**OLMOE, **LARGE})
        figures += starts(folder, "OLMoE", Path(place) / "data")
    return figures
