"""Trains the demo model: `python -m inference.demo.train --corpus DIR --out DIR [--minutes 60]`.

A tokenizer first (seconds; `--start-from` takes that of an earlier model, and its weights), then AdamW with a
cosine rate over windows packed with whole conversations. The time given decides the number of steps, so a
slower machine trains a slightly worse model rather than a longer night.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path

import torch

from inference.demo.architecture import train_tokenizer
from inference.demo.packing import batches
from inference.demo.phrases import read_groups
from inference.demo.recipe import Recipe
from inference.demo.training_run import Run, float_weights
from inference.grok1.tokenizer import ChatTokenizer
from inference.model_dir import manifest

SEED = 20
PEAK_RATE = 2e-3
SAVE_SECONDS = 60
# Once the answers are known by heart, most are read to their first words only: those show whether the
# question was understood, and the time is better spent on more questions.
CUT_AFTER, CUT = 0.3, 0.8


def train(
    recipe: Recipe, tokenizer: ChatTokenizer, run: Run, minutes: float, cut_after: float = CUT_AFTER
) -> None:
    log = (run.out.parent / f"{run.out.name}.log.jsonl").open("a")
    before, start, saved = run.seconds, time.monotonic(), 0.0
    for batch in batches(recipe, tokenizer, SEED + run.step):
        run.seconds = before + time.monotonic() - start
        done = run.seconds / (60 * minutes)
        if done >= 1:
            break
        recipe.cut = CUT if cut_after < done < 0.95 else 0.0
        run.advance(batch, done)
        if run.step % 20 == 0:
            log.write(json.dumps(run.metrics()) + "\n")
            log.flush()
            print(run.metrics(), flush=True)  # noqa: T201 - the command's output
        if run.seconds - saved > SAVE_SECONDS:  # a usable model on disk at all times
            run.save()
            saved = run.seconds
    run.save()


def seal(folder: Path) -> None:
    """Writes the manifest of the files that serve: the card may still change, these may not."""
    names = ("model.safetensors", "config.json", "tokenizer.model", "grokweb.json")
    files = {name: manifest.entry_of(folder / name) for name in names if (folder / name).is_file()}
    manifest.write(folder, files, made_by="inference.demo.train")


def favoured(words: list[str]) -> dict[str, float]:
    """Parses `intent=times`, or `pattern.txt=times` for all intents of the files so named."""
    drawn: dict[str, float] = {}
    for word in words:
        name, times = word.rsplit("=", 1)
        intents = [i for i, _ in read_groups(names=name)] if name.endswith(".txt") else [name]
        drawn |= dict.fromkeys(intents, float(times))
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with the open data, as JSON lines")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--start-from", type=Path, help="folder of an earlier model: its tokenizer and weights"
    )
    parser.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    parser.add_argument("--rate", type=float, default=PEAK_RATE, help="peak rate; less for --start-from")
    parser.add_argument("--cut-after", type=float, default=CUT_AFTER, help="0 if it knows the answers")
    parser.add_argument(
        "--favour",
        nargs="*",
        default=[],
        metavar="INTENT=TIMES",
        help='draw these more often, uncut from 2 times on; "features*.txt=3" for those of files',
    )
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.out.mkdir(parents=True, exist_ok=True)
    run = Run(given.out, given.rate)
    torch.manual_seed(SEED)
    if given.resume:
        run.resume()
    # Another seed after each stop: a resumed run must not read its first conversations again.
    recipe = Recipe(given.corpus, SEED + run.step, favoured(given.favour))
    if given.start_from and not given.resume:
        shutil.copyfile(given.start_from / "tokenizer.model", given.out / "tokenizer.model")
        run.start_from(float_weights(given.start_from))
    elif not given.resume:
        train_tokenizer(recipe.tokenizer_text(), given.out)
    train(recipe, ChatTokenizer(given.out / "tokenizer.model", "demo"), run, given.minutes, given.cut_after)
    seal(given.out)


if __name__ == "__main__":
    main()
