"""Describes a generation inside the engine, from its request to its last token, and prepares it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from inference.contract import ErrorCode, GenerationRequest, Kind, Score
from inference.core.kv_rows import Key
from inference.core.sampling import History
from inference.text.alternate import alternate, in_words, separate
from inference.text.detokenize import TextStream
from inference.text.kind_stream import KindStream
from inference.text.prompt import Render, continues_answer, fit
from inference.text.reply_rules import compile_rules
from inference.text.thought_marks import Thinker


class Tokenizer(Protocol):
    """Declares the methods of a model's tokenizer that the scheduler needs."""

    @property
    def stop_ids(self) -> frozenset[int]: ...
    @property
    def stop_strings(self) -> tuple[str, ...]: ...
    @property
    def never_sample(self) -> frozenset[int]: ...
    def render_chat(self, messages: list[dict[str, str]], /, *, continue_last: bool = False) -> list[int]: ...
    def piece_bytes(self, token: int, first: bool, /) -> bytes: ...
    @property
    def thinker(self) -> Thinker | None: ...


@dataclass(slots=True, eq=False)
class Work:
    """Holds a generation inside the engine."""

    request: GenerationRequest
    emitted: tuple[int, ...]
    ready: bool = False  # prompt, stream and max_new are there (or problem is)
    problem: ErrorCode | None = None
    tokens: list[int] = field(default_factory=list)  # prompt, then everything generated
    prompt_size: int = 0
    max_new: int = 0
    left_out: int = 0  # turns that did not fit
    stream: TextStream | KindStream | None = None
    scores: list[Score] = field(default_factory=list)  # of this attempt's tokens, if they were asked for
    row: int = -1
    fed: int = 0  # tokens whose keys and values are in the cache
    doubted: bool = False  # it was in a step that failed: its next step is its own
    shared_failures: int = 0
    admitted_at: float = 0.0
    first_at: float = 0.0  # when the first token of this attempt was chosen

    @property
    def cache_key(self) -> Key:
        """Returns the user and conversation that a cached prefix would serve."""
        return self.request.user_key, self.request.cache_key

    @property
    def generated(self) -> int:
        return len(self.tokens) - self.prompt_size

    @property
    def history(self) -> History:
        """Returns the history for `choose`, which reads tokens only if there are penalties."""
        if not self.request.sampling.penalises:
            return (), range(self.generated)
        return self.tokens[: self.prompt_size], self.tokens[self.prompt_size :]

    @property
    def to_feed(self) -> int:
        return len(self.tokens) - self.fed


def prepare(work: Work, tokenizer: Tokenizer, *, context: int, vocab_size: int) -> None:
    """Makes prompt, text stream and limit of a submitted request; raises TooLong and ValueError."""
    request = work.request
    if any(not 0 <= token < vocab_size for token in work.emitted):
        raise ValueError(f"logged token ids are not in a vocabulary of {vocab_size:,}")
    messages = alternate(in_words(request.messages))  # no engine of this process announces tools
    begun = continues_answer(messages)
    render = _renderer(request, tokenizer, begun=begun)
    prompt = fit(
        separate(messages),
        lambda chosen: render(alternate(chosen)),
        context=request.context_within(context),
        max_new_tokens=request.max_new_tokens,
    )
    work.stream = _stream(work, tokenizer, prompt.ids, begun=begun)
    work.prompt_size = len(prompt.ids)
    work.max_new = prompt.max_new
    work.left_out = prompt.left_out
    work.tokens = [*prompt.ids, *work.emitted]


def _renderer(request: GenerationRequest, tokenizer: Tokenizer, *, begun: bool) -> Render:
    thinker = tokenizer.thinker
    if thinker is None or thinker.render is None:
        return partial(tokenizer.render_chat, continue_last=True) if begun else tokenizer.render_chat
    effort = request.effort if request.effort in thinker.efforts else ""
    return partial(thinker.render, continue_last=begun, effort=effort, thought=request.thought)


def _kind_begun(request: GenerationRequest, *, begun: bool) -> Kind | None:
    """Returns the kind of what the prompt holds the beginning of; None for a new answer."""
    if begun:
        return Kind.TEXT
    return Kind.THOUGHT if request.thought else None


def _stream(
    work: Work, tokenizer: Tokenizer, prompt: Sequence[int], *, begun: bool
) -> TextStream | KindStream:
    request = work.request
    options: dict[str, Any] = {
        "stop": tokenizer.stop_strings + request.stop,
        "rules": compile_rules(request.rules),
        "hold_back": request.hold_back,
        "emitted": work.emitted,
        "begun": begun or bool(request.thought),
    }
    thinker = tokenizer.thinker
    if thinker is None:
        return TextStream(tokenizer.piece_bytes, **options)
    parser = thinker.parser(prompt, begun=_kind_begun(request, begun=begun))
    return KindStream(thinker.spell, parser, **options)
