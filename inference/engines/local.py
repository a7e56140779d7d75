"""Our engine: a model directory, one thread, and a back end: the native step where it fits, else torch."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from inference import modelfiles
from inference.admission import rows_of
from inference.core.scheduler import Scheduler, Tokenizer
from inference.engines.batching import BatchingEngine
from inference.grok1.network import load_for_serving, open_for_packing
from inference.grok1.step import TorchStep
from inference.grok1.tokenizer import load_tokenizer
from inference.headers import json_object
from inference.modelfiles import ModelFiles
from inference.native.build import NotBuilt
from inference.native.library import build_id
from inference.native.step import NativeStep, ensure_native

if TYPE_CHECKING:
    from inference.stock.step import StockStep

log = logging.getLogger(__name__)

TOLD_APART_BY = (
    "config.json",
    "generation_config.json",
    "grokweb.json",
    "manifest.json",
    "tokenizer.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)
_TAIL = 65_536  # bytes at the end of a weights file that go into the fingerprint


class LocalEngine(BatchingEngine):
    """Serves one model directory."""

    def __init__(
        self,
        path: str | Path,
        *,
        slots: int,
        threads: int,
        kept_bytes: int = 0,
        exit: Callable[[int], object] = os._exit,
    ) -> None:
        """Load tokenizer and weights (seconds). Raises ModelUnusable, with the reason in words.

        `kept_bytes`: see load_engine.
        """
        files = modelfiles.describe(Path(path))
        torch.set_num_threads(threads)  # loading converts weights, too
        opened = (
            _open_grok1(files, slots, threads, kept_bytes)
            if files.model_type == modelfiles.GROK1
            else _open_stock(files, slots)
        )
        scheduler = Scheduler(
            lambda: NumpyStep(opened.make_step()),
            opened.tokenizer,
            slots=slots,
            context=files.context,
            vocab_size=opened.vocab_size,
            rows=opened.rows,
            fingerprint=f"{weights_hash(files.path)} {opened.back_end} {opened.precision}",
        )
        self.back_end = opened.back_end
        super().__init__(scheduler, slug=files.slug, name=files.name, context=files.context, exit=exit)
        self._threads = threads

    def prepare_thread(self) -> None:
        # OpenMP keeps the number per thread; left alone, threads that contend for a core collapse 70-fold.
        torch.set_num_threads(self._threads)


@dataclass(frozen=True)
class Opened:
    """A loaded model, whichever kind."""

    tokenizer: Tokenizer
    vocab_size: int
    back_end: str  # "native-1a2b3c4d", "torch-2.13.0"
    precision: str
    rows: int  # of the cache
    make_step: Callable[[], TorchStep | NativeStep | StockStep]


def _open_grok1(files: ModelFiles, slots: int, threads: int, kept_bytes: int) -> Opened:
    """Either way the folder is first held against its manifest and the free memory."""
    tokenizer, device = load_tokenizer(files.path), _device()
    try:
        ensure_native(json_object(files.path / "config.json"), device)
    except NotBuilt as reason:
        log.info("%s runs on torch: %s", files.name, reason)
        rows = rows_of(files, slots, kept_bytes) if device == "cpu" else slots
        network = load_for_serving(files.path, slots=rows, device=device)
        return Opened(
            tokenizer,
            network.config.vocab_size,
            f"torch-{torch.__version__}",
            network.precision,
            rows,
            lambda: TorchStep(network, rows, files.context),
        )
    rows = rows_of(files, slots, kept_bytes, packed=True)
    native = NativeStep(open_for_packing(files.path, slots=rows), rows, files.context, threads=threads)
    return Opened(
        tokenizer, native.vocab_size, f"native-{build_id()}", native.precision, rows, native.renewed
    )


def _open_stock(files: ModelFiles, slots: int) -> Opened:
    from inference.stock.step import StockStep, load_model  # imports transformers: seconds
    from inference.stock.tokenizer import StockTokenizer

    model = load_model(files.path, slots=slots, device=_device())
    vocab_size = int(model.config.vocab_size)
    return Opened(
        StockTokenizer(files.path, vocab_size),
        vocab_size,
        f"torch-{torch.__version__}",
        str(model.dtype).removeprefix("torch."),
        slots,
        lambda: StockStep(model, slots, files.context),
    )


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


class NumpyStep:
    """A step answers with a tensor, the scheduler wants numpy's view of it."""

    def __init__(self, step: TorchStep | NativeStep | StockStep) -> None:
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

    Covers configuration, chat template, tokenizer, the SHA-256 manifest if there is one, and of every
    safetensors file its header (names, shapes, offsets) and its last 64 KiB: two trainings of the same
    network have equal headers.
    """
    digest = hashlib.sha256()
    for name in TOLD_APART_BY:
        if (path / name).is_file():
            digest.update((path / name).read_bytes())
    for file in sorted(path.glob("*.safetensors")):
        with file.open("rb") as f:
            size = f.read(8)
            digest.update(size + f.read(int.from_bytes(size, "little")))
            f.seek(max(0, file.stat().st_size - _TAIL))
            digest.update(f.read())
    return digest.hexdigest()[:12]
