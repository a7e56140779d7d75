"""Finds the way in which a model of transformers can be stepped, by comparing it with one whole pass.

Any causal model is accepted whose answers do not depend on how its prompt was divided, nor on who else is in
the batch. That is checked on the loaded weights: a text in chunks and single tokens, in passes that it shares
with parts of another one and alone, and taken back to an earlier token, must give the logits of a pass over
the whole text. Sliding windows and chunks of attention are shortened meanwhile, so that a short text reaches
beyond them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from inference.hf_models.passes import Costs
from inference.hf_models.step import WAYS, HfStep
from inference.model_dir.describe import ModelUnusable
from inference.model_dir.headers import first_line

log = logging.getLogger(__name__)

VERSION = 3  # of this check; a higher one repeats it
LONG, SHORT, BACK, SINGLES = 40, 20, 9, 4  # tokens
SHARED = Costs(weights=1e6, width=1_024)  # whatever can share a pass does
WINDOW = 8  # of attention, during the check
WINDOWS = ("sliding_window", "attention_chunk_size")
# Largest differences as a share of the spread of the logits: of the average token, and of any.
EXACT = (2e-4, 2e-3)  # in float32
# In 16 and 8 bits rounding alone makes a difference, which depends on the network: its effect is measured by
# changing the embeddings by as much as bfloat16 rounds, and LENIENCE times as much is allowed, up to MOST:
# other logits altogether differ by about 1.4.
ROUNDED, BFLOAT16, LENIENCE, MOST = (0.01, 0.05), 2.0**-8, 3.0, (0.3, 1.0)


class Differs(ValueError):
    """Raised where a step fails, or differs from a whole pass. The message is a part of a sentence."""


def find_way(model: Any, path: Path, record: Path | None = None, key: str = "") -> str:
    """Returns the first of step.WAYS that computes what a whole pass does, or raises ModelUnusable.

    `record` is a file that remembers the result of this `key`: weights, precision and device. Without one
    the check is made each time.
    """
    key = f"{VERSION} torch-{torch.__version__} transformers-{transformers.__version__} {key}"
    known = _remembered(record, key)
    if known:
        return known
    way = _checked(model, path)
    if record:
        _remember(record, key, way)
    return way


def _checked(model: Any, path: Path) -> str:
    problems = []
    with torch.inference_mode(), _shortened(model.config.get_text_config()):
        try:
            whole = _Whole(model)
        except Exception as error:  # whatever the class raises
            raise ModelUnusable(f"{path} does not run: {first_line(error)}") from error
        for way in WAYS:
            try:
                _compare(HfStep(model, 3, LONG + SHORT, way, SHARED), whole)
            except Differs as difference:
                problems.append(f"{way}: {difference}")
                log.info("%s cannot be computed %s: %s", path.name, way, difference)
            else:
                log.info("%s passed the self-check; its passes: %s", path.name, way)
                return way
    raise ModelUnusable(
        f"{path} is a {type(model).__name__} ({model.config.model_type}), whose answers depend here on how a "
        f"prompt is divided ({'; '.join(problems)}); run it on a server of its own and give "
        "GROKWEB_MODEL=http://HOST:PORT/v1#NAME"
    )


class _Whole:
    """Two texts, a third that begins as the first, and the logits of one whole pass over each."""

    def __init__(self, model: Any) -> None:
        vocabulary = int(model.config.get_text_config().vocab_size)
        generator = torch.Generator().manual_seed(5)
        drawn = torch.randint(0, vocabulary, (LONG + SHORT,), generator=generator).tolist()
        first, second = drawn[:LONG], drawn[LONG:]
        self.texts: list[list[int]] = [first, second, first[:BACK] + second[:SINGLES]]
        self.logits = [self._pass(model, text) for text in self.texts]
        exact = model.dtype == torch.float32 and not _has_int8(model)
        self.bounds = EXACT if exact else self._rounding(model)

    def _rounding(self, model: Any) -> tuple[float, float]:
        """Returns what differences rounding explains: of the average token, and of any."""
        generator = torch.Generator().manual_seed(6)

        def change(_module: Any, _given: Any, out: Tensor) -> Tensor:
            noise = torch.randn(out.shape, generator=generator).to(out)
            return out * (1 + BFLOAT16 * noise)

        hook = model.get_input_embeddings().register_forward_hook(change)
        try:
            changed = [self._pass(model, text) for text in self.texts]
        finally:
            hook.remove()
        average, worst = _summary(
            _distance(got, wanted)
            for one, other in zip(changed, self.logits, strict=True)
            for got, wanted in zip(one, other, strict=True)
        )
        return (
            min(MOST[0], max(ROUNDED[0], LENIENCE * average)),
            min(MOST[1], max(ROUNDED[1], LENIENCE * worst)),
        )

    @staticmethod
    def _pass(model: Any, text: list[int]) -> Tensor:
        logits: Tensor = model(input_ids=torch.tensor([text], device=model.device), use_cache=False).logits
        return logits[0].float()


def _has_int8(model: Any) -> bool:
    return any(buffer.dtype == torch.int8 for buffer in (*model.parameters(), *model.buffers()))


def _compare(step: HfStep, whole: _Whole) -> None:
    """Feeds the texts in parts; rows are no neighbours, and one begins while the other is under way."""
    rows = (0, 2, 0)
    errors: list[float] = []

    def feed(*parts: tuple[int, range]) -> None:
        fed = [(whole.texts[i][at], rows[i], at, whole.logits[i][at]) for i, places in parts for at in places]
        ids, row, pos, _ = zip(*fed, strict=True)
        try:
            logits = step.step(ids, row, pos, [1] * len(ids), range(len(ids)))
        except Exception as error:  # a class that cannot be run this way raises anything
            raise Differs(first_line(error)) from error
        for got, (*_, wanted) in zip(logits, fed, strict=True):
            errors.append(_distance(got, wanted))

    feed((1, range(3)))
    feed((0, range(24)), (1, range(5)))  # begins anew; two prompts in one pass, as in the next
    feed((0, range(24, 25)), (1, range(5, 12)))
    for i in range(SINGLES):
        feed((0, range(25 + i, 26 + i)), (1, range(12 + i, 13 + i)))
    feed((0, range(25 + SINGLES, 33)))
    feed((0, range(33, LONG)), (1, range(12 + SINGLES, SHORT - 1)))
    feed((2, range(BACK, BACK + SINGLES)), (1, range(SHORT - 1, SHORT)))
    average, worst = _summary(errors)
    if not (average <= whole.bounds[0] and worst <= whole.bounds[1]):
        raise Differs(
            f"logits differ from those of one pass by {average:.2g} of their spread, "
            f"and {worst:.2g} at one token; {whole.bounds[0]:.2g} and {whole.bounds[1]:.2g} are allowed"
        )


def _summary(errors: Iterable[float]) -> tuple[float, float]:
    """Returns the average and the largest."""
    found = list(errors)
    return sum(found) / len(found), max(found)


def _distance(got: Tensor, wanted: Tensor) -> float:
    """Returns the difference as a share of the spread. Numbers that are not finite do not count here: a trial
    step finds them, and calls them damaged weights."""
    wanted = wanted.to(got.device)
    if not wanted.isfinite().all():
        return 0.0
    return float((got - wanted).pow(2).mean().sqrt() / wanted.std().clamp_min(1e-9))


@contextmanager
def _shortened(config: Any) -> Iterator[None]:
    """Shortens windows and chunks of attention in the block; masks are made from the configuration."""
    before = {name: getattr(config, name, None) for name in WINDOWS}
    longer = [name for name, size in before.items() if isinstance(size, int) and size > WINDOW]
    try:
        for name in longer:
            setattr(config, name, WINDOW)
        yield
    finally:
        for name in longer:
            setattr(config, name, before[name])


def _remembered(record: Path | None, key: str) -> str:
    """Returns the way that a file remembers for this key; "" if none."""
    try:
        known = json.loads(record.read_text()) if record else {}
    except (OSError, ValueError):
        return ""
    way = known.get("way") if isinstance(known, dict) and known.get("key") == key else ""
    return way if way in WAYS else ""


def _remember(record: Path, key: str, way: str) -> None:
    """Writes a result; a disk that is full or read-only costs only the next start's time."""
    unfinished = record.with_suffix(".part")
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(json.dumps({"key": key, "way": way}) + "\n")
        unfinished.replace(record)
    except OSError as error:
        log.warning("the self-check's result cannot be stored: %s", error.strerror)
