"""Our engine: a model directory, torch (or another back end with the same `step`), one thread."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from inference import modelfiles
from inference.core.scheduler import Scheduler
from inference.engines.batching import BatchingEngine
from inference.grok1.network import load_for_serving
from inference.grok1.step import TorchStep
from inference.grok1.tokenizer import load_tokenizer

_TAIL = 65_536  # bytes at the end of a weights file that go into the fingerprint


class LocalEngine(BatchingEngine):
    """Serves one model directory."""

    def __init__(
        self, path: str | Path, *, slots: int, threads: int, exit: Callable[[int], object] = os._exit
    ) -> None:
        """Load tokenizer and weights (seconds). Raises ModelUnusable, with the reason in words."""
        path = Path(path)
        files = modelfiles.describe(path)
        tokenizer = load_tokenizer(path)
        torch.set_num_threads(threads)  # loading converts weights, too
        network = load_for_serving(path, slots=slots)
        dtype = str(network.embedding.dtype).removeprefix("torch.")
        scheduler = Scheduler(
            lambda: _TorchBackend(TorchStep(network, slots, files.context)),
            tokenizer,
            slots=slots,
            context=files.context,
            vocab_size=network.config.vocab_size,
            fingerprint=f"{weights_hash(path)} torch-{torch.__version__} {dtype}",
        )
        super().__init__(scheduler, slug=files.slug, name=files.name, context=files.context, exit=exit)
        self._threads = threads

    def prepare_thread(self) -> None:
        # OpenMP keeps the number per thread; left alone, threads that contend for a core collapse 70-fold.
        torch.set_num_threads(self._threads)


class _TorchBackend:
    """TorchStep answers with a tensor, the scheduler wants numpy's view of it."""

    def __init__(self, step: TorchStep) -> None:
        self._step = step

    def step(
        self,
        ids: Sequence[int],
        row: Sequence[int],
        pos: Sequence[int],
        hide_pad: Sequence[int],
        out_at: Sequence[int],
    ) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = self._step.step(ids, row, pos, hide_pad, out_at).cpu().numpy()
        return logits


def weights_hash(path: Path) -> str:
    """Twelve hex digits that tell two models apart without reading all of their weights (300 GB for Grok-1).

    Covers configuration, chat template, tokenizer, the importer's SHA-256 manifest if there is one, and of
    every safetensors file its header (names, shapes, offsets) and its last 64 KiB: two trainings of the same
    network have equal headers.
    """
    digest = hashlib.sha256()
    for name in ("config.json", "grokweb.json", "tokenizer.model", "manifest.json"):
        if (path / name).is_file():
            digest.update((path / name).read_bytes())
    for file in sorted(path.glob("*.safetensors")):
        with file.open("rb") as f:
            size = f.read(8)
            digest.update(size + f.read(int.from_bytes(size, "little")))
            f.seek(max(0, file.stat().st_size - _TAIL))
            digest.update(f.read())
    return digest.hexdigest()[:12]
