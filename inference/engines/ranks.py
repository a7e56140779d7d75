"""The engine for a model on several ranks: this process is rank 0, the others follow its steps."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import torch

from inference.core.scheduler import Scheduler
from inference.engines.batching import BatchingEngine
from inference.engines.local import NumpyStep, weights_hash
from inference.grok1.parallel import ParallelStep, Share
from inference.grok1.tokenizer import load_tokenizer
from inference.model_dir import describe as modelfiles

log = logging.getLogger(__name__)


class RanksEngine(BatchingEngine):
    """Serves the model of which `step` has a share here."""

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
            context=step.context,
            vocab_size=step.vocab_size,
            fingerprint=f"{weights_hash(path)} torch-{torch.__version__} {dtype} {way}",
        )
        self.back_end = f"torch-{torch.__version__} {way}"
        super().__init__(scheduler, slug=files.slug, name=files.name, context=step.context, exit=exit)
        self._ranks = step
        self._threads = threads

    def prepare_thread(self) -> None:
        torch.set_num_threads(self._threads)

    def stop(self) -> None:
        super().stop()
        try:
            self._ranks.stop()
        except RuntimeError as error:
            log.warning("the other ranks cannot be stopped: %s", error)

    def _cleared(self) -> NumpyStep:
        """Returns the scheduler's new step: the same weights with an empty cache, on all ranks."""
        self._ranks.clear()
        return NumpyStep(self._ranks)
