"""Trains the demo model: `python -m inference.demo.train --corpus DIR --out DIR [--minutes 60]`.

A tokenizer first (seconds; `--start-from` takes that of an earlier model, and its weights), then AdamW with a
cosine rate over windows packed with whole conversations. The time given decides the number of steps, so a
slower machine trains a slightly worse model rather than a longer night.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import sentencepiece
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from inference.demo.phrases import read_groups
from inference.demo.recipe import Message, Recipe
from inference.grok1.config import Grok1Config
from inference.grok1.model import Grok1ForCausalLM, Router
from inference.grok1.tokenizer import ASSISTANT, ROLE_MARK, SEPARATOR, ChatTokenizer
from inference.model_dir import manifest
from inference.model_dir.grok1_tensors import SCALE

SEED = 20
VOCABULARY = 4096
CONTEXT = 1024
# Shapes of a training step: share of the steps, windows, tokens in a window. Long windows hold one long
# conversation, so that distances up to the whole context occur.
SHAPES = ((0.80, 8, 128), (0.17, 4, 256), (0.03, 1, 1024))
BALANCE = 0.01  # how hard the router is pushed to use all experts
PEAK_RATE = 2e-3
MEAN_KEEPS = 0.997  # the running mean of the weights looks back over some 300 steps
SAVE_SECONDS = 60
# Once the answers are known by heart, most are read to their first words only: those show whether the
# question was understood, and the time is better spent on more questions.
OPENING, CUT_AFTER, CUT = 8, 0.3, 0.8


def demo_config() -> Grok1Config:
    """Returns a configuration of 4.9 million parameters, in the proportions of the release where possible."""
    hidden, head = 192, 32
    return Grok1Config(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=128,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=head,
        max_position_embeddings=CONTEXT,
        embedding_multiplier=math.sqrt(hidden),
        attention_multiplier=1 / math.sqrt(head),
        architectures=["Grok1ForCausalLM"],
        dtype="bfloat16",
    )


def train_tokenizer(texts: list[str], out: Path) -> None:
    """Trains SentencePiece with the same special ids as the release (see grok1/tokenizer.py)."""
    special = ["\n" * n for n in range(1, 11)] + list("0123456789") + ["\t" * n for n in range(1, 9)]
    special += [" " * n for n in range(2, 17)] + ["<|separator|>", "<|mask|>"]
    special += [f"<|control{n}|>" for n in range(1, 21)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_prefix=str(out / "tokenizer"),
        model_type="bpe",
        vocab_size=VOCABULARY,
        user_defined_symbols=special,
        pad_id=0,
        bos_id=1,
        eos_id=2,
        unk_id=3,
        pad_piece="[PAD]",
        bos_piece="[BOS]",
        eos_piece="[EOS]",
        unk_piece="[UNK]",
        unk_surface="[UNK]",
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        required_chars="".join(chr(c) for c in range(33, 127) if not chr(c).isdigit()),
        num_threads=1,
        minloglevel=2,
    )
    (out / "tokenizer.vocab").unlink()


def spans(tokenizer: ChatTokenizer, messages: list[Message]) -> tuple[list[int], list[float]]:
    """Returns a conversation as in `render_chat`, with each id's weight in the loss."""
    ids, weights = [1], [0.0]
    for message in messages:
        text = [*tokenizer.encode(message["content"]), SEPARATOR]
        assistant = ROLE_MARK[message["role"]] == ASSISTANT
        ids += [ROLE_MARK[message["role"]], *text]
        weights += [0.0] + [1.0 if assistant else 0.0] * len(text)
    return ids, weights


def windows(recipe: Recipe, tokenizer: ChatTokenizer, size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yields packed windows of `size` + 1 ids: ids, loss weights, and the conversation of each id."""
    stream = recipe.conversations()
    ids: list[int] = []
    weights: list[float] = []
    owner: list[int] = []
    count = 0
    while True:
        while len(ids) <= size:
            messages = recipe.conversation(size // 22) if size >= CONTEXT else next(stream)
            new_ids, new_weights = spans(tokenizer, messages)
            if size < CONTEXT and recipe.cuts(messages):
                length = len(new_ids) - len(tokenizer.encode(messages[-1]["content"])) - 1 + OPENING
                new_ids, new_weights = new_ids[:length], new_weights[:length]
            ids += new_ids
            weights += new_weights
            owner += [count] * len(new_ids)
            count += 1
        yield (
            torch.tensor(ids[: size + 1]),
            torch.tensor(weights[: size + 1]),
            torch.tensor(owner[: size + 1]),
        )
        ids, weights, owner = (
            [],
            [],
            [],
        )  # the rest is dropped: every window starts with the start of a conversation


def batches(recipe: Recipe, tokenizer: ChatTokenizer, seed: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    pick = torch.Generator().manual_seed(seed)
    source = {size: windows(recipe, tokenizer, size) for _, _, size in SHAPES}
    share = torch.tensor([part for part, _, _ in SHAPES])
    while True:
        _, count, size = SHAPES[int(torch.multinomial(share, 1, generator=pick))]
        ids, weights, owner = (
            torch.stack(column) for column in zip(*(next(source[size]) for _ in range(count)), strict=True)
        )
        yield ids, weights, owner


class Balance:
    """The usual balancing loss: an expert's share of the tokens times its mean probability, summed."""

    def __init__(self, model: Grok1ForCausalLM) -> None:
        self.terms: list[Tensor] = []
        for module in model.modules():
            if isinstance(module, Router):
                module.register_forward_hook(self.collect)

    def collect(self, router: Router, _: object, out: tuple[Tensor, Tensor, Tensor]) -> None:
        logits, _gates, chosen = out
        experts = logits.shape[-1]
        share = F.one_hot(chosen, experts).float().mean(dim=(0, 1))
        self.terms.append(experts * (share * logits.softmax(-1).mean(0)).sum())

    def take(self) -> Tensor:
        total = torch.stack(self.terms).mean()
        self.terms.clear()
        return total


def packed_mask(owner: Tensor) -> Tensor:
    """Returns a mask [B, 1, T, T], added to the scores: a token sees itself and its own conversation's
    past.
    """
    size = owner.shape[1]
    seen = (owner[:, :, None] == owner[:, None, :]) & torch.ones(size, size, dtype=torch.bool).tril()
    return torch.zeros(seen.shape).masked_fill_(~seen, -1e9)[:, None]


def rate_at(done: float) -> float:
    """Returns the share of the peak rate at this share of the time: a short rise, then a cosine to 2 %."""
    return min(1.0, done / 0.03) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def answer_loss(model: Grok1ForCausalLM, ids: Tensor, weights: Tensor, owner: Tensor) -> Tensor:
    """Returns the mean loss over the answers of packed windows, each [B, T + 1].

    The scores over the vocabulary cost as much as three blocks, so they are made only where they count.
    """
    hidden = model.model(ids[:, :-1], attention_mask=packed_mask(owner[:, :-1]), use_cache=False)
    counts = (weights[:, 1:] * (owner[:, 1:] == owner[:, :-1])).flatten()  # [B * T]
    at = counts.nonzero().flatten()
    states = hidden.last_hidden_state.flatten(0, 1)[at]
    logits = F.linear(states, model.model.embed_tokens.weight) * model.config.output_multiplier
    loss = F.cross_entropy(logits.float(), ids[:, 1:].flatten()[at], reduction="none")
    return (loss * counts[at]).sum() / counts[at].sum()


def float_weights(folder: Path) -> dict[str, Tensor]:
    """Returns an earlier model's weights in float32, also from an int8 folder (as the shipped one is)."""
    stored = load_file(folder / "model.safetensors")
    weights = {}
    for name, values in stored.items():
        if name.endswith(SCALE):
            continue
        weights[name] = values.float()
        if (scale := stored.get(name + SCALE)) is not None:
            blocks = weights[name].reshape(*scale.shape, -1)  # [..., out, G, in / G]
            weights[name] = (blocks * scale.float().unsqueeze(-1)).flatten(-2)
    return weights


class Run:
    """A training run that can be stopped at any time and continued, from `state.pt` beside its weights.

    What is shipped is a running mean of the weights, which answers more evenly than any single step.
    """

    def __init__(self, out: Path, peak_rate: float) -> None:
        self.out, self.peak_rate = out, peak_rate
        self.model = Grok1ForCausalLM(demo_config()).train()
        self.mean = copy.deepcopy(self.model)
        self.balance = Balance(self.model)
        matrices = [p for p in self.model.parameters() if p.dim() > 1]
        vectors = [p for p in self.model.parameters() if p.dim() == 1]
        groups = [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=peak_rate, betas=(0.9, 0.97), fused=True)
        self.step, self.seen, self.loss, self.seconds = 0, 0, 0.0, 0.0

    def start_from(self, weights: dict[str, Tensor]) -> None:
        self.model.load_state_dict(weights)
        self.mean.load_state_dict(weights)

    def resume(self) -> None:
        state = torch.load(self.out / "state.pt", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.mean.load_state_dict(state["mean"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seen, self.loss, self.seconds = state["counts"]

    def save(self) -> None:
        save(self.mean, self.out)
        state = {"model": self.model.state_dict(), "mean": self.mean.state_dict()}
        state |= {"optimizer": self.optimizer.state_dict()}
        state |= {"counts": (self.step, self.seen, self.loss, self.seconds)}
        torch.save(state, self.out / "state.pt.part")
        (self.out / "state.pt.part").replace(self.out / "state.pt")

    def advance(self, batch: tuple[Tensor, Tensor, Tensor], done: float) -> None:
        """Performs one step; `done` is the share of the time that has passed."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.peak_rate * rate_at(done)
        loss = answer_loss(self.model, *batch)
        (loss + BALANCE * self.balance.take()).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step, self.seen = self.step + 1, self.seen + batch[0].numel()
        self.loss = loss.item() if self.step == 1 else 0.98 * self.loss + 0.02 * loss.item()
        keep = min(MEAN_KEEPS, self.step / (self.step + 9))
        with torch.no_grad():
            for mean, now in zip(self.mean.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)

    def metrics(self) -> dict[str, float]:
        minutes = round(self.seconds / 60, 2)
        return {"step": self.step, "tokens": self.seen, "minutes": minutes, "loss": round(self.loss, 4)}


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


def save(model: Grok1ForCausalLM, out: Path) -> None:
    """Saves bfloat16, half the bytes, loaded as float32 again; router and norms stay float32."""
    keep = ("router", "norm")
    tensors = {
        name: (value if any(word in name for word in keep) else value.to(torch.bfloat16)).contiguous()
        for name, value in model.state_dict().items()
    }
    partial = out / "model.safetensors.part"
    save_file(tensors, partial, metadata={"format": "pt"})
    partial.chmod(0o644)
    partial.replace(out / "model.safetensors")
    model.config.save_pretrained(out)


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
