"""Makes the engine for a model folder: one thread, with the native step where it can be used, else torch."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from inference.core.sampling import usable
from inference.core.scheduler import Scheduler
from inference.core.work import Tokenizer
from inference.engines.batching import BatchingEngine
from inference.grok1.network import load_for_serving, open_for_packing
from inference.grok1.step import TorchStep
from inference.grok1.tokenizer import load_tokenizer
from inference.model_dir import describe as modelfiles
from inference.model_dir.admission import fit_context, rows_of
from inference.model_dir.describe import ModelFiles, ModelUnusable
from inference.model_dir.headers import first_line, json_object
from inference.native.build import NotBuilt
from inference.native.library import build_id
from inference.native.step import NativeStep, ensure_native

if TYPE_CHECKING:
    from inference.hf_models.step import HfStep
    from inference.hf_models.tokenizer import HfTokenizer

log = logging.getLogger(__name__)

TOLD_APART_BY = (
    "config.json",
    "generation_config.json",
    "grokweb.json",
    "manifest.json",
    "tokenizer.model",
    "tokenizer.json",
    "tokenizer.tok.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "chat_template.json",
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
        cache_bytes: int = 0,
        context: int = 0,
        checks: Path | None = None,
        dtype: str = "",
        exit: Callable[[int], object] = os._exit,
    ) -> None:
        """Loads tokenizer and weights (seconds). Raises ModelUnusable with the reason.

        `cache_bytes`, `context`: see load_engine. `checks`: a folder for results of self-checks.
        `dtype`: of weights that transformers runs, see hf_models/loading.py.
        """
        files = modelfiles.describe(Path(path))
        torch.set_num_threads(threads)  # loading converts weights, too
        opened = (
            _open_grok1(files, slots, threads, cache_bytes, context)
            if files.model_type == modelfiles.GROK1
            else _open_stock(files, slots, context, checks, dtype)
        )
        first = [try_step(opened, files.path)]
        scheduler = Scheduler(
            lambda: first.pop() if first else NumpyStep(opened.make_step()),
            opened.tokenizer,
            slots=slots,
            context=opened.context,
            vocab_size=opened.vocab_size,
            rows=opened.rows,
            fingerprint=f"{weights_hash(files.path)} {opened.back_end} {opened.precision}",
        )
        self.back_end = opened.back_end
        super().__init__(
            scheduler,
            slug=files.slug,
            name=files.name,
            context=opened.context,
            thinker=opened.tokenizer.thinker,
            exit=exit,
        )
        self.capabilities = replace(self.capabilities, prefix_cache=opened.rewinds, batched=opened.batched)
        self._threads = threads

    def prepare_thread(self) -> None:
        # OpenMP keeps the number per thread; left alone, threads that contend for a core collapse 70-fold.
        torch.set_num_threads(self._threads)


@dataclass(frozen=True)
class Opened:
    """Holds a loaded model of either kind."""

    tokenizer: Tokenizer
    vocab_size: int
    back_end: str  # "native-1a2b3c4d", "torch-2.13.0"
    precision: str
    rows: int  # of the cache
    context: int  # tokens of a row
    make_step: Callable[[], TorchStep | NativeStep | HfStep]
    batched: bool = True  # one pass for the next tokens of several replies
    rewinds: bool = True  # a row can go back to an earlier token without being computed again


def try_step(opened: Opened, path: Path) -> NumpyStep:
    """Returns a step that has answered one short question; ModelUnusable says why it could not.

    Finds before the first reply what only running it shows: no room for the cache, weights that are no
    numbers, ids that the network lacks.
    """
    step = NumpyStep(opened.make_step())
    ids = opened.tokenizer.render_chat([{"role": "user", "content": "1"}])[: opened.context]
    places = list(range(len(ids)))
    try:
        logits = step.step(ids, [0] * len(ids), places, [1] * len(ids), places[-1:])
    except Exception as error:  # whatever the back end raises
        raise ModelUnusable(f"{path} does not run: a trial step failed: {first_line(error)}") from error
    if not usable(logits).all():
        raise ModelUnusable(
            f"{path} does not run: a trial step gave logits that are no finite numbers; "
            "its weights are damaged"
        )
    return step


def _open_grok1(files: ModelFiles, slots: int, threads: int, cache_bytes: int, context: int) -> Opened:
    """Loads Grok-1. The folder is first checked against its manifest and the free memory."""
    tokenizer, device = load_tokenizer(files.path), _device()
    try:
        ensure_native(json_object(files.path / "config.json"), device)
    except NotBuilt as reason:
        log.info("%s runs on torch: %s", files.name, reason)
        files = fit_context(files, slots, context, _free(device))
        rows = rows_of(files, slots, cache_bytes) if device == "cpu" else slots
        network = load_for_serving(files.path, slots=rows, device=device, context=files.context)
        return Opened(
            tokenizer,
            network.config.vocab_size,
            f"torch-{torch.__version__}",
            network.precision,
            rows,
            files.context,
            lambda: TorchStep(network, rows, files.context),
        )
    files = fit_context(files, slots, context, packed=True)
    rows = rows_of(files, slots, cache_bytes, packed=True)
    packing = open_for_packing(files.path, slots=rows, context=files.context)
    native = NativeStep(packing, rows, files.context, threads=threads)
    return Opened(
        tokenizer,
        native.vocab_size,
        f"native-{build_id()}",
        native.precision,
        rows,
        files.context,
        native.renewed,
    )


def _open_stock(files: ModelFiles, slots: int, context: int, checks: Path | None, dtype: str) -> Opened:
    from inference.hf_models.self_check import find_way  # imports transformers: seconds
    from inference.hf_models.step import APART, PROMPTS_IN_TURN, TOGETHER, HfStep

    load_config, load_tokenizer, load_model = _loaders(files.model_type)
    vocab_size = int(load_config(files.path).get_text_config().vocab_size)
    tokenizer = load_tokenizer(files.path, vocab_size)  # first: it takes moments, the weights minutes
    device = _device()
    files = fit_context(files, slots, context, _free(device), dtype)
    model = load_model(files.path, slots=slots, device=device, context=files.context, dtype=dtype)
    precision = f"{dtype}-{model.dtype}".removeprefix("-").replace("torch.", "")
    identity = weights_hash(files.path)
    way = find_way(
        model,
        files.path,
        checks and checks / f"{identity}.json",
        f"{identity} {precision} {device}",
    )
    return Opened(
        tokenizer,
        vocab_size,
        f"torch-{torch.__version__}",
        precision,
        slots,
        files.context,
        lambda: HfStep(model, slots, files.context, way),
        batched=way in (TOGETHER, PROMPTS_IN_TURN),
        rewinds=way != APART,
    )


def _loaders(model_type: str) -> tuple[Callable[..., Any], Callable[..., HfTokenizer], Callable[..., Any]]:
    """Returns what reads configuration, tokenizer and network of a class of transformers, stock or ours."""
    if model_type == modelfiles.GROK2:
        from inference.grok2 import config, loading, tokenizer

        return config.load_config, tokenizer.load_tokenizer, loading.load_model
    from inference.hf_models import configs
    from inference.hf_models import loading as stock
    from inference.hf_models.tokenizer import HfTokenizer

    return configs.load_config, HfTokenizer, stock.load_model


def _free(device: str) -> int | None:
    """Returns the bytes free on a GPU; None: of this machine, which admission.py finds out."""
    return torch.cuda.mem_get_info()[0] if device == "cuda" else None


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


class NumpyStep:
    """Adapts a step that returns a tensor to the scheduler, which needs numpy's view of it."""

    def __init__(self, step: TorchStep | NativeStep | HfStep) -> None:
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
    """Returns twelve hex digits that identify a model without reading all weights (300 GB for Grok-1).

    They cover configuration, chat template, tokenizer, the SHA-256 manifest if there is one, and of every
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
