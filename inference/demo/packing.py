"""Packs whole conversations into the windows that the demo model is trained on."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from inference.demo.architecture import CONTEXT
from inference.demo.recipe import Message, Recipe
from inference.grok1.tokenizer import ASSISTANT, ROLE_MARK, SEPARATOR, ChatTokenizer

# Shapes of a training step: share of the steps, windows, tokens in a window. Long windows hold one long
# conversation, so that distances up to the whole context occur.
SHAPES = ((0.80, 8, 128), (0.17, 4, 256), (0.03, 1, 1024))
OPENING = 8  # tokens of an answer that is cut


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
        # The rest is dropped: every window starts with the start of a conversation.
        ids, weights, owner = [], [], []


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


def packed_mask(owner: Tensor) -> Tensor:
    """Returns a mask [B, 1, T, T], added to the scores: a token sees itself and its own conversation's
    past.
    """
    size = owner.shape[1]
    seen = (owner[:, :, None] == owner[:, None, :]) & torch.ones(size, size, dtype=torch.bool).tril()
    return torch.zeros(seen.shape).masked_fill_(~seen, -1e9)[:, None]
