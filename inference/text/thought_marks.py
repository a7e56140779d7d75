"""Tells what a model thinks from what it answers, by the marks of its chat template, token by token.

Two ways are known: a pair of tags around the thought (`<think>…</think>`), which may be spelled in several
tokens, and the channels of Harmony (gpt-oss), which are named between control tokens. A parser is a function
of the tokens alone, so that a reply resumed anywhere is parsed alike. Tokens of marks are counted and logged
as all others, with no text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from inference.contract import Kind
from inference.text.detokenize import PieceBytes

TAGS = (
    ("<think>", "</think>"),  # DeepSeek-R1, Qwen3, GLM-4.5 and most others
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),  # Magistral
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A
)
HARMONY = ("<|start|>", "<|channel|>", "<|message|>", "<|end|>")
THOUGHT_CHANNELS = ("analysis",)


class Marked(NamedTuple):
    """A token with its kind and the bytes that it adds to the text of that kind."""

    token: int
    kind: Kind
    data: bytes


class Parser(Protocol):
    def feed(self, token: int, data: bytes) -> list[Marked]:
        """Takes a token with its bytes, those of marks included; returns the tokens that are certain now."""

    def flush(self) -> list[Marked]:
        """Returns the tokens that were held back, at the end of the reply."""


class Marks(Protocol):
    """The marks of one chat template. `texts` are all of them, as the template spells them."""

    @property
    def texts(self) -> tuple[str, ...]: ...

    def before_text(self, prompt: str, text: str) -> str:
        """Returns what stands between the prompt for a new answer and the answer's text."""

    def before_thought(self, prompt: str) -> str:
        """Returns what follows the prompt for a new answer where a thought comes next."""

    def parser(self, prompt_end: str, *, begun: Kind | None) -> Parser:
        """Returns the parser of an answer. `prompt_end`: the last characters of its prompt; `begun`: the
        kind that the prompt already holds the beginning of."""


def marks_of(template: str, added: Collection[str]) -> Marks | None:
    """Returns the marks that a chat template, or a vocabulary with `added` tokens, knows."""
    if all(mark in template for mark in HARMONY[1:3]) and all(mark in added for mark in HARMONY):
        return Channels()
    for opening, closing in TAGS:
        if closing in template or (opening in added and closing in added):
            return Tags(opening, closing)
    return None


# --- Tags -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tags:
    """A thought between two tags, at the beginning of the answer; the prompt may hold the first one."""

    opening: str
    closing: str

    @property
    def texts(self) -> tuple[str, ...]:
        return self.opening, self.closing

    def before_text(self, prompt: str, text: str) -> str:
        # Answers of older releases have the tags in their text.
        return f"\n{self.closing}\n\n" if self._is_open(prompt) and self.closing not in text else ""

    def before_thought(self, prompt: str) -> str:
        return "" if self._is_open(prompt) else f"{self.opening}\n"

    def parser(self, prompt_end: str, *, begun: Kind | None) -> Parser:
        kind = begun or (Kind.THOUGHT if self._is_open(prompt_end) else Kind.TEXT)
        return TagParser(self.opening.encode(), self.closing.encode(), kind, begun=begun is not None)

    def _is_open(self, prompt: str) -> bool:
        return prompt.rstrip().endswith(self.opening)


class TagParser:
    """Looks for the opening tag before the first visible character, then for the closing one, once each: an
    answer may speak of the tags."""

    def __init__(self, opening: bytes, closing: bytes, kind: Kind, *, begun: bool) -> None:
        self._opening, self._closing = opening, closing
        self._kind = kind
        self._mark = closing if kind is Kind.THOUGHT else b"" if begun else opening
        self._skips_white = kind is Kind.THOUGHT and not begun
        self._held: list[tuple[int, bytes]] = []
        self._carried = b""  # text behind a mark in the same token: the next one has it
        self._waiting: list[Marked] = []  # the token with that mark, until there is a next one

    def feed(self, token: int, data: bytes) -> list[Marked]:
        data, self._carried = self._carried + data, b""
        certain, self._waiting = self._waiting, []
        return certain + self._parse(token, data)

    def _parse(self, token: int, data: bytes) -> list[Marked]:
        self._held.append((token, data))
        if not self._mark:
            return self._release(len(self._held))
        buffer = b"".join(piece for _, piece in self._held)
        if self._mark is self._opening:
            return self._seek_opening(buffer.lstrip())
        at = buffer.find(self._mark)
        if at >= 0:
            return self._close(at, buffer[at + len(self._mark) :])
        return self._release(self._count_before(len(buffer) - _overlap(buffer, self._mark)))

    def flush(self) -> list[Marked]:
        if self._waiting:
            # A token has one kind: the words behind the mark count more than the last ones of a thought.
            [(token, _, _)] = self._waiting
            return [Marked(token, self._kind, self._carried)]
        return self._release(len(self._held))

    def _seek_opening(self, seen: bytes) -> list[Marked]:
        if seen.startswith(self._mark):
            tokens = [Marked(token, Kind.THOUGHT, b"") for token, _ in self._held]
            return self._begin(Kind.THOUGHT, self._closing, seen[len(self._mark) :], tokens)
        if self._mark.startswith(seen):
            return []
        self._mark = b""
        return self._release(len(self._held))

    def _close(self, at: int, rest: bytes) -> list[Marked]:
        """Ends the thought `at` this byte of what is held."""
        told, place = [], 0
        for token, data in self._held:
            told.append(self._marked(token, data[: max(0, at - place)]))
            place += len(data)
        return self._begin(Kind.TEXT, b"", rest, told)

    def _begin(self, kind: Kind, mark: bytes, rest: bytes, told: list[Marked]) -> list[Marked]:
        """Begins another kind behind a mark; returns those of the tokens up to the mark that are certain."""
        self._kind, self._mark, self._held = kind, mark, []
        self._skips_white = True
        self._carried = rest.lstrip()
        self._waiting = told[-1:] if self._carried else []
        return told[: len(told) - len(self._waiting)]

    def _release(self, count: int) -> list[Marked]:
        released, self._held = self._held[:count], self._held[count:]
        return [self._marked(token, data) for token, data in released]

    def _marked(self, token: int, data: bytes) -> Marked:
        """Leaves out the white space between a mark and the words behind it."""
        if self._skips_white:
            data = data.lstrip()
            self._skips_white = not data
        return Marked(token, self._kind, data)

    def _count_before(self, limit: int) -> int:
        """Returns how many held tokens end before or at this byte."""
        place = 0
        for count, (_, data) in enumerate(self._held):
            place += len(data)
            if place > limit:
                return count
        return len(self._held)


def _overlap(buffer: bytes, mark: bytes) -> int:
    """Returns how many bytes at the end of `buffer` may begin the mark."""
    sizes = range(min(len(mark) - 1, len(buffer)), 0, -1)
    return next((size for size in sizes if buffer.endswith(mark[:size])), 0)


# --- Harmony ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Channels:
    """Messages of one answer, each behind the name of its channel: analysis, commentary, final."""

    texts: tuple[str, ...] = HARMONY

    def before_text(self, prompt: str, text: str) -> str:
        return "<|channel|>final<|message|>"

    def before_thought(self, prompt: str) -> str:
        return "<|channel|>analysis<|message|>"

    def parser(self, prompt_end: str, *, begun: Kind | None) -> Parser:
        return ChannelParser(begun)


@dataclass(slots=True)
class ChannelParser:
    """`kind` of the message that is being written; None within the header of the next one."""

    kind: Kind | None
    _header: bytes = b""
    _held: list[int] = field(default_factory=list)

    def feed(self, token: int, data: bytes) -> list[Marked]:
        if data in _HARMONY_BYTES:
            return self._obey(token, data)
        if self.kind is not None:
            return [Marked(token, self.kind, data)]
        if not self._held:  # words without a header
            self.kind = Kind.TEXT
            return [Marked(token, self.kind, data)]
        self._header += data
        self._held.append(token)
        return []

    def flush(self) -> list[Marked]:
        return self._release(self.kind or Kind.THOUGHT)

    def _obey(self, token: int, mark: bytes) -> list[Marked]:
        if mark == b"<|message|>":
            self._held.append(token)
            channel = self._header.split(b"<|channel|>")[-1].strip().decode("ascii", "replace")
            is_shown = not channel.startswith(THOUGHT_CHANNELS) and " to=" not in channel
            self.kind, self._header = Kind.TEXT if is_shown else Kind.THOUGHT, b""
            return self._release(self.kind)
        ended, self.kind = self.kind, None
        if mark == b"<|end|>" and ended is not None:
            return [Marked(token, ended, b"")]
        self._header += mark
        self._held.append(token)
        return []

    def _release(self, kind: Kind) -> list[Marked]:
        held, self._held = self._held, []
        return [Marked(token, kind, b"") for token in held]


_HARMONY_BYTES = frozenset(mark.encode() for mark in HARMONY)


# --- With a vocabulary ------------------------------------------------------------------------------------

PROMPT_END = 16  # tokens that may spell a mark with the white space behind it


class Thinker:
    """The marks of a model with their tokens, and its prompts.

    `control`: (id, name) of control tokens, which have no text. `efforts`: those it can be asked for.
    """

    def __init__(
        self,
        marks: Marks,
        piece_bytes: PieceBytes,
        control: Iterable[tuple[int, str]],
        *,
        render: Callable[..., list[int]] | None = None,
        efforts: Sequence[str] = (),
    ) -> None:
        """`render` is the tokenizer's render_chat, which also takes `effort` and `thought`."""
        self.marks = marks
        self.render = render
        self.efforts = tuple(efforts)
        self._piece_bytes = piece_bytes
        self._spelled = {token: name.encode() for token, name in control if name in marks.texts}

    @property
    def control(self) -> frozenset[int]:
        """Returns the control tokens that the model writes as marks."""
        return frozenset(self._spelled)

    def spell(self, token: int, first: bool = False) -> bytes:
        """Returns the bytes of a token, those of a mark included."""
        return self._spelled.get(token) or self._piece_bytes(token, first)

    def parser(self, prompt: Sequence[int], *, begun: Kind | None) -> Parser:
        end = b"".join(self.spell(token) for token in prompt[-PROMPT_END:])
        return self.marks.parser(end.decode("utf-8", "replace"), begun=begun)
