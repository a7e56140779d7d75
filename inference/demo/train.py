"""Train the demo model from nothing: `python -m inference.demo.train --corpus DIR --out DIR [--minutes 25]`.

A tokenizer first (seconds), then AdamW with a cosine rate over windows packed with whole conversations. The
time given decides the number of steps, so a slower machine trains a slightly worse model rather than a longer
night.
"""

from __future__ import annotations

import argparse
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

from inference.demo.recipe import Message, Recipe
from inference.grok1.config import Grok1Config
from inference.grok1.model import Grok1ForCausalLM, Router
from inference.grok1.tokenizer import ASSISTANT, ROLE_MARK, SEPARATOR, ChatTokenizer

SEED = 20
VOCABULARY = 4096
CONTEXT = 1024
# Shapes of a training step: share of the steps, windows, tokens in a window. Long windows hold one long
# conversation, so that distances up to the whole context occur.
SHAPES = ((0.64, 16, 128), (0.30, 8, 256), (0.06, 2, 1024))
USER_WEIGHT = 0.1  # a little loss on the questions too: they teach the language
BALANCE = 0.01  # how hard the router is pushed to use all experts
PEAK_RATE = 2e-3


def demo_config() -> Grok1Config:
    """4.9 million parameters, in the proportions of the release where they can be kept."""
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
    """SentencePiece with the special ids of the release in the same places (see grok1/tokenizer.py)."""
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
    """A conversation as in `render_chat`, with the weight of each id in the loss when it is foretold."""
    ids, weights = [1], [0.0]
    for message in messages:
        text = [*tokenizer.encode(message["content"]), SEPARATOR]
        assistant = ROLE_MARK[message["role"]] == ASSISTANT
        ids += [ROLE_MARK[message["role"]], *text]
        weights += [0.0] + [1.0 if assistant else USER_WEIGHT] * len(text)
    return ids, weights


def windows(recipe: Recipe, tokenizer: ChatTokenizer, size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Packed windows of `size` + 1 ids: ids, loss weights, and which conversation each id belongs to."""
    stream = recipe.conversations()
    ids: list[int] = []
    weights: list[float] = []
    owner: list[int] = []
    count = 0
    while True:
        while len(ids) <= size:
            messages = recipe.conversation(size // 22) if size >= CONTEXT else next(stream)
            new_ids, new_weights = spans(tokenizer, messages)
            ids += new_ids
            weights += new_weights
            owner += [count] * len(new_ids)
            count += 1
        yield (
            torch.tensor(ids[: size + 1]),
            torch.tensor(weights[: size + 1]),
            torch.tensor(owner[: size + 1]),
        )
        ids, weights, owner = [], [], []  # what did not fit is dropped: every window starts with a beginning


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
    """[B, 1, T, T], added to the scores: a token sees itself and the past of its own conversation."""
    size = owner.shape[1]
    seen = (owner[:, :, None] == owner[:, None, :]) & torch.ones(size, size, dtype=torch.bool).tril()
    return torch.zeros(seen.shape).masked_fill_(~seen, -1e9)[:, None]


def rate_at(done: float) -> float:
    """Share of the peak rate after this share of the time: a short rise, then a cosine down to 2 %."""
    return min(1.0, done / 0.03) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def save(model: Grok1ForCausalLM, out: Path) -> None:
    """Half of the bytes: bfloat16 on disk, float32 again when loaded; router and norms stay float32."""
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


def train(corpus: Path, out: Path, minutes: float, threads: int, start_from: Path | None = None) -> None:
    torch.manual_seed(SEED)
    torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(corpus, seed=SEED)
    model = Grok1ForCausalLM(demo_config()).train()
    peak_rate = PEAK_RATE
    if start_from is None:
        train_tokenizer(recipe.tokenizer_text(), out)
    else:  # go on with what was learnt: its tokenizer, its weights, and a gentler rate
        shutil.copyfile(start_from / "tokenizer.model", out / "tokenizer.model")
        model.load_state_dict(load_file(start_from / "model.safetensors"))
        peak_rate = PEAK_RATE / 2
    tokenizer = ChatTokenizer(out / "tokenizer.model", "demo")
    balance = Balance(model)
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=peak_rate, betas=(0.9, 0.97), fused=True)

    log = (out.parent / f"{out.name}.log.jsonl").open("w")
    start, saved, step, seen, smooth = time.monotonic(), 0.0, 0, 0, 0.0
    for ids, weights, owner in batches(recipe, tokenizer, SEED):
        done = (time.monotonic() - start) / (60 * minutes)
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = peak_rate * rate_at(done)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(ids[:, :-1], attention_mask=packed_mask(owner[:, :-1]), use_cache=False).logits
        weight = (weights[:, 1:] * (owner[:, 1:] == owner[:, :-1])).flatten()
        loss = F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten(), reduction="none")
        loss = (loss * weight).sum() / weight.sum()
        (loss + BALANCE * balance.take()).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step, seen = step + 1, seen + ids.numel()
        smooth = loss.item() if step == 1 else 0.98 * smooth + 0.02 * loss.item()
        if step % 20 == 0:
            spent = (time.monotonic() - start) / 60
            figures = {"step": step, "tokens": seen, "minutes": round(spent, 2), "loss": round(smooth, 4)}
            log.write(json.dumps(figures) + "\n")
            log.flush()
            print(figures, flush=True)  # noqa: T201 - the command's output
            if spent - saved > 2:  # a usable model on disk at all times
                save(model, out)
                saved = spent
    save(model, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with the open data, as JSON lines")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--start-from", type=Path, help="folder of an earlier run to go on from")
    given = parser.parse_args()
    train(given.corpus, given.out, given.minutes, given.threads, given.start_from)


if __name__ == "__main__":
    main()
