"""The local engine whose model lies on several ranks: this process is rank 0, the others follow its steps."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from inference import modelfiles
from inference.core.scheduler import Scheduler
from inference.engines.batching import BatchingEngine
from inference.engines.local import weights_hash
from inference.grok1.parallel import ParallelStep, Share
from inference.grok1.tokenizer import load_tokenizer

log = logging.getLogger(__name__)


class RanksEngine(BatchingEngine):
    """Serves the model whose share `step` has here."""

    def __init__(
        self,
        path: Path,
        share: Share,
        step: ParallelStep,
        *,
        threads: int,
        exit: Callable[[int], object] = os._exit,
    ) -> None:
        files = modelfiles.describe(path)
        dtype = str(step.dtype).removeprefix("torch.")
        way = f"{'ep' if share.whole_experts else 'tp'}{share.size}"
        scheduler = Scheduler(
            self._cleared,
            load_tokenizer(path),
            slots=step.rows,
            context=files.context,
            vocab_size=step.vocab_size,
            fingerprint=f"{weights_hash(path)} torch-{torch.__version__} {dtype} {way}",
        )
        super().__init__(scheduler, slug=files.slug, name=files.name, context=files.context, exit=exit)
        self._ranks = step
        self._threads = threads

    def prepare_thread(self) -> None:
        torch.set_num_threads(self._threads)

    def stop(self) -> None:
        super().stop()
        try:
            self._ranks.stop()
        except RuntimeError as error:
            log.warning("the other ranks cannot be told to stop: %s", error)

    def _cleared(self) -> _Backend:
        """The scheduler's new step: the same weights, nothing remembered, on all ranks."""
        self._ranks.clear()
        return _Backend(self._ranks)


class _Backend:
    """ParallelStep answers with a tensor, the scheduler wants numpy's view of it."""

    def __init__(self, step: ParallelStep) -> None:
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
