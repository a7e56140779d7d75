"""Reads what the scripted engine (scripted.py) shall answer: the last question is the script.

    slow:N[:MS]  answers "w1 w2 ... wN", one word every MS milliseconds (50)
    echo:TEXT    answers TEXT at once
    system:      answers what the system message says
    pace:MS:TEXT answers TEXT, one word every MS milliseconds
    think:N:SCRIPT answers as SCRIPT says; the first N words are a thought, left out with effort "off"
    effort:      answers how much it was asked to think
    image:       answers what the bytes of each image say: kind, width and height
    cut:N:R:SCRIPT  the same, but the server breaks off after N words, in each run below R
    usage:P:C:SCRIPT  answers as SCRIPT says; a server would count P tokens of prompt and C of answer
    usage:?:SCRIPT  the same; a server would not count them
    SCRIPT call:NAME:{…} && call:NAME:{…}
                 answers as SCRIPT says, then calls tools, if the request offers some. The next line of the
                 question is the script of the next step; without one, that answers with the results
    summary:SCRIPT what a request in the background (a summary) gets that has this line among its questions
    title:SCRIPT what a title question after it gets; nothing without it (the rest of its line)
    poison:      kills the process at its first step
    oom:         runs out of memory
    nan:         yields NaN logits
    raise:       its step raises
    hang:        the engine stops stepping for ever
    other text   is echoed

A run after the first one says the same words in capitals, as another computation would say other words.
`scripted:prefix` and `scripted:restart` announce another way to resume (contract.Resume).
"""

from __future__ import annotations

import base64
import itertools
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from inference.contract import GenerationRequest, Kind, Piece
from inference.text.alternate import separate
from inference.text.title import QUESTION

_SLOW = re.compile(r"slow:(\d{1,6})(?::(\d{1,6}))?(?=\s|$)")
_PACE = re.compile(r"pace:(\d{1,6}):")
_THINK = re.compile(r"think:(\d{1,6}):")
_CUT = re.compile(r"cut:(\d{1,6}):(\d):")
_USAGE = re.compile(r"usage:(?:(\d{1,6}):(\d{1,6})|\?):")
_CALLS = re.compile(r"(?:^|\s)(call:[\w-]+:.*)$")
_CALLING = re.compile(r"(?:^|\s)call:[\w-]+:")
_CALL = re.compile(r"call:([\w-]+):(.*)", re.DOTALL)
_SUMMARY = re.compile(r"^summary:(.*)$", re.MULTILINE)
_TITLE = re.compile(r"title:(.*)")
_WORD = re.compile(r"\s*\S+\s*|\s+")
_FAULTS = ("poison:", "oom:", "nan:", "raise:", "hang:")


@dataclass(frozen=True, slots=True)
class Script:
    """The answer to give: words with their following space, `interval` seconds apart, or a fault."""

    words: Sequence[str]
    interval: float = 0.0
    fault: str = ""
    thoughts: int = 0  # words at the beginning that are no text of the answer
    usage: tuple[int, int] | None = None  # tokens of prompt and answer, other than the words
    is_estimated: bool = False
    calls: int = 0  # words at the end that call tools, a line each
    cut: tuple[int, int] = (0, 0)  # words after which, and runs below which, its server breaks off

    def kind(self, word: int) -> Kind:
        if word < self.thoughts:
            return Kind.THOUGHT
        return Kind.CALL if word >= len(self.words) - self.calls else Kind.TEXT

    def shouted(self) -> Script:
        """Returns the same in capitals, except for calls."""
        said = len(self.words) - self.calls
        return replace(self, words=[*(word.upper() for word in self.words[:said]), *self.words[said:]])

    def within(self, thought: str) -> Script:
        """Returns the rest of the answer after the beginning of its thought."""
        known = 0
        while known < self.thoughts and thought.startswith(self.words[known]):
            thought = thought.removeprefix(self.words[known])
            known += 1
        return replace(self, words=self.words[known:], thoughts=self.thoughts - known)

    def after(self, said: str) -> Script:
        """Returns the rest of the answer after its beginning; then the model has thought already."""
        if said and self.thoughts:
            return replace(self, words=self.words[self.thoughts :], thoughts=0).after(said)
        spoken = 0
        while spoken < len(self.words) and said.startswith(self.words[spoken]):
            said = said.removeprefix(self.words[spoken])
            spoken += 1
        return replace(self, words=self.words[spoken:])


def read_script(text: str) -> Script:
    """Returns the script in a user's message."""
    for fault in _FAULTS:
        if text.startswith(fault):
            return Script((), fault=fault)
    if think := _THINK.match(text):
        return replace(read_script(text[think.end() :]), thoughts=int(think[1]))
    if cut := _CUT.match(text):
        return replace(read_script(text[cut.end() :]), cut=(int(cut[1]), int(cut[2])))
    if usage := _USAGE.match(text):
        script = read_script(text[usage.end() :])
        counted = (int(usage[1]), int(usage[2])) if usage[1] else None
        return replace(script, usage=counted, is_estimated=counted is None)
    slow = _SLOW.match(text)
    if slow:
        count, interval = int(slow[1]), int(slow[2] or 50) / 1000
        return Script([f"w{i} " for i in range(1, count)] + [f"w{count}"] * (count > 0), interval)
    if pace := _PACE.match(text):
        return Script(_WORD.findall(text[pace.end() :]), int(pace[1]) / 1000)
    return Script(_WORD.findall(text.removeprefix("echo:")))


def _asked(messages: Sequence[dict[str, str]]) -> str:
    """Returns the last question; where that asks for a title, the title that the question before names."""
    asked = [message for message in separate(messages) if message["role"] == "user"]
    questions: list[str] = [message["content"] for message in asked] or [""]
    if questions[-1] == "system:":
        return "echo:" + "\n".join(each["content"] for each in messages if each["role"] == "system")
    if questions[-1] != QUESTION:
        return questions[-1]
    title = _TITLE.search(questions[-2]) if len(questions) > 1 else None
    return title[1] if title else ""


def _summary_script(messages: Sequence[dict[str, str]]) -> str:
    found = _SUMMARY.findall("\n".join(message["content"] for message in messages))
    return found[-1] if found else f"echo:{len(messages)} messages"


def script_of(request: GenerationRequest) -> Script:
    """Returns the script of a request: that of its question, or of the step that its results call for."""
    if request.background:
        return read_script(_summary_script(request.messages))
    question = _asked(request.messages)
    if question == "effort:":
        return read_script(request.effort)
    if question.endswith("image:"):  # names of images come first
        return read_script("echo:" + seen(request))
    if not request.tools or not _CALLING.search(question):
        return read_script(question)
    lines = question.split("\n")
    step = sum(bool(message.get("calls")) for message in request.messages)
    if step < len(lines):
        return _with_calls(request, lines[step], step)
    results = [message["content"] for message in request.messages if message["role"] == "tool"]
    return read_script("echo:" + " ".join(results))


def seen(request: GenerationRequest) -> str:
    """Returns what the request's images are, from their bytes, in the order of the messages."""
    images = {each["id"]: base64.b64decode(each["data"]) for each in request.images}
    named = [each["id"] for message in request.messages for each in message.get("images", [])]
    return ", ".join(_kind_and_size(images[each]) for each in named if each in images) or "nothing"


def _kind_and_size(data: bytes) -> str:
    if data.startswith(b"\x89PNG"):
        width, height = struct.unpack(">II", data[16:24])
        return f"PNG {width}×{height}"
    frame = re.search(rb"\xff[\xc0\xc2]..\x08(....)", data, re.DOTALL)  # the header of a JPEG's frame
    if frame is None:
        return "unknown"
    height, width = struct.unpack(">HH", frame[1])
    return f"JPEG {width}×{height}"


def _with_calls(request: GenerationRequest, line: str, step: int) -> Script:
    found = _CALLS.search(line) if request.may_call else None
    if found is None:
        return read_script(line)
    said = line[: found.start()]
    script = read_script(said) if said else Script(())
    calls = [_call_line(call, step, place) for place, call in enumerate(found[1].split(" && "))]
    return replace(script, words=[*script.words, *calls], calls=len(calls))


def _call_line(call: str, step: int, place: int) -> str:
    """Returns the line of a call; arguments that are no JSON are written as they are, as a model might."""
    found = _CALL.match(call)
    if found is None:
        return call + "\n"
    return f'{{"id": "call_{step}_{place}", "name": "{found[1]}", "arguments": {found[2]}}}\n'


def divided(piece: Piece, script: Script) -> list[Piece]:
    """Returns the piece, in several where its kind changes within it."""
    kinds = [script.kind(word) for word in range(piece.after, piece.seq)]
    if len(set(kinds)) <= 1:
        return [replace(piece, kind=kinds[0])] if kinds else [piece]
    pieces, place, characters = [], 0, 0
    for kind, group in itertools.groupby(kinds):
        size, first = len(list(group)), piece.after + place
        length = len("".join(script.words[first : first + size]))
        text = piece.text[characters:] if first + size == piece.seq else piece.text[characters:][:length]
        ids = piece.ids[place : place + size]
        pieces.append(Piece(first, first + size, text, ids, kind=kind))
        place, characters = place + size, characters + length
    return pieces
