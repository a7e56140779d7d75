"""An engine without a model, for tests and fault drills: the last question is the script.

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

One token per word with its following space; a token's id is its place in the answer, so a resumed answer
needs only the number of tokens that are there already. Stop strings, reply rules and limits work as in the
real engine, through the same TextStream. One thread serves everybody: it sleeps until the next word is due
and hands out all words due within the next 2 ms together, so a hundred slow answers cost little.
"""

from __future__ import annotations

import base64
import heapq
import itertools
import logging
import os
import re
import signal
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from inference.base import exit_status
from inference.contract import (
    EFFORTS,
    MOST_RESTARTS,
    Capabilities,
    Delta,
    Ended,
    ErrorCode,
    Event,
    GenerationRequest,
    GivenBack,
    Kind,
    Piece,
    Reason,
    Resume,
)
from inference.core.inbox import Cancel, Drop, Inbox
from inference.engines.base import Emit, Engine
from inference.engines.entry import ModelAbout
from inference.text.alternate import separate
from inference.text.detokenize import TextStream
from inference.text.prompt import LEAST_ANSWER, TooLong, continues_answer, fit_turns
from inference.text.reply_rules import compile_rules
from inference.text.title import QUESTION

log = logging.getLogger(__name__)

TOGETHER = 0.002  # seconds: words due this soon leave in the same step
AT_ONCE = 64  # words of one answer in one step, at most
MOST_BEHIND = 0.25  # seconds a late answer catches up; a longer pause (a stopped process) is not made up for
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


def _words_of(messages: Sequence[dict[str, str]]) -> int:
    return sum(len(message["content"].split()) for message in messages)


def _left_out(request: GenerationRequest, context: int) -> int:
    """Returns how many turns a model with this context would leave out; a word is a token here."""
    try:
        turns = separate(request.messages)
        limit = request.max_new_tokens
        return fit_turns(turns, _words_of, context=context, max_new_tokens=limit).left_out
    except TooLong:
        return 0


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


@dataclass(slots=True, eq=False)
class Answer:
    """A generation under way."""

    request: GenerationRequest
    script: Script
    stream: TextStream
    prompt_tokens: int
    left_out: int  # turns
    max_new: int
    made: int  # words generated
    due: float = 0.0  # when the next word is; time.monotonic()
    started: float = 0.0

    @property
    def is_cut(self) -> bool:
        """Returns whether the script's server has broken off."""
        words, runs = self.script.cut
        return self.request.run < runs and self.made >= words


@dataclass(frozen=True, slots=True)
class Submit:
    """Commands the engine to answer a request."""

    request: GenerationRequest
    emitted: tuple[int, ...]

    @property
    def generation_id(self) -> str:
        return self.request.generation_id


class Scripted:
    """The entry in the table of engines. It is refused without GROKWEB_TEST_ENGINES=1, as it is for tests."""

    label = "scripted answers, for tests"

    def describe(self, model: str) -> ModelAbout:
        _check_allowed()
        return ModelAbout(slug=slug_of(Resume(model or Resume.EXACT)), name="Scripted (tests)")

    def usable_context(self, model: str, wanted: int) -> int:
        return 0

    def create(self, model: str, *, slots: int, threads: int, cache_bytes: int, context: int) -> Engine:
        _check_allowed()
        return ScriptedEngine(slots=slots, resume=Resume(model or Resume.EXACT))


def _check_allowed() -> None:
    if os.environ.get("GROKWEB_TEST_ENGINES", "").lower() not in {"1", "true", "yes", "on"}:
        raise ValueError("GROKWEB_MODEL=scripted is for tests only; set GROKWEB_TEST_ENGINES=1 to allow it")


def slug_of(resume: Resume) -> str:
    """Returns the slug of a variant, so that several can run beside each other."""
    return "scripted" if resume is Resume.EXACT else f"scripted-{resume}"


class ScriptedEngine:
    """Answers as the last question says. base.Engine describes the methods."""

    name = "Scripted test engine"
    fingerprint = "scripted-1"
    back_end = "scripted"
    context = 8192
    problem = ""

    def __init__(
        self,
        *,
        slots: int,
        exit: Callable[[int], object] = os._exit,
        resume: Resume = Resume.EXACT,
    ) -> None:
        self.slug = slug_of(resume)
        self.slots = slots
        images = resume is Resume.EXACT  # a variant without, so that both can be tried
        self.capabilities = Capabilities(resume, reasoning=True, efforts=EFFORTS, tools=True, images=images)
        self._exit = exit
        self._steps = 0
        self._inbox: Inbox[Submit | Cancel | Drop] = Inbox()
        self._waiting: deque[Submit] = deque()
        self._running: dict[str, Answer] = {}
        self._agenda: list[tuple[float, int, Answer]] = []  # heap by due time; may hold answers that ended
        self._order = itertools.count()
        self._events: list[Event] = []
        self._thread: threading.Thread | None = None
        self._counted: Counter[str] = Counter(steps=0, rows=0, tokens=0)
        self._released = threading.Event()  # lets a hanging thread end with stop()

    @property
    def steps(self) -> int:
        return self._steps

    @property
    def busy(self) -> bool:
        return bool(self._running or self._waiting or self._inbox)

    def metrics(self) -> dict[str, int]:
        """Returns counters without a cache; a step is one in which a word was due."""
        return dict(self._counted)

    def start(self, emit: Emit) -> None:
        if self._thread:
            raise RuntimeError("this engine was started before")
        self._thread = threading.Thread(target=self._run, args=(emit,), name="engine-scripted", daemon=True)
        self._thread.start()

    def submit(
        self, request: GenerationRequest, emitted: Sequence[int], *, logged: Sequence[Piece] = ()
    ) -> None:
        self._inbox.put(Submit(request, tuple(emitted)))

    def cancel(self, generation_id: str) -> None:
        self._inbox.put(Cancel(generation_id))

    def drop(self, generation_id: str) -> None:
        self._inbox.put(Drop(generation_id))

    def stop(self) -> None:
        self._released.set()
        self._inbox.close()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join(timeout=30)

    # The engine's thread ----------------------------------------------------------------------------------

    def _run(self, emit: Emit) -> None:
        try:
            while not self._inbox.closed:
                self._turn()
                if self._events:
                    emit(self._events)
                self._inbox.wait(self._seconds_to_next())
        except Exception:
            log.exception("the engine's loop failed: this process ends")
            self._exit(exit_status.ENGINE_FAILED)

    def _turn(self) -> None:
        self._events = []
        for command in self._inbox.drain():
            self._obey(command)
        self._admit()
        soon = time.monotonic() + TOGETHER
        due = []
        while self._agenda and self._agenda[0][0] <= soon:
            due.append(heapq.heappop(self._agenda)[2])
        due = [answer for answer in due if self._running.get(answer.request.generation_id) is answer]
        for answer in due:
            self._advance(answer, soon)
        self._counted.update(steps=bool(due), rows=len(due))
        self._steps += 1

    def _seconds_to_next(self) -> float | None:
        if self._waiting and len(self._running) < self.slots:
            return 0.0
        return max(0.0, self._agenda[0][0] - time.monotonic()) if self._agenda else None

    def _obey(self, command: Submit | Cancel | Drop) -> None:
        wanted, stopped = command.generation_id, isinstance(command, Cancel)
        for waiting in [w for w in self._waiting if w.request.generation_id == wanted]:
            self._waiting.remove(waiting)
            if stopped:
                self._append_end(waiting.request, len(waiting.emitted), Reason.STOPPED)
        running = self._running.pop(wanted, None)
        if running and stopped:
            self._end(running, Reason.STOPPED)
        if isinstance(command, Submit):
            self._waiting.append(command)

    def _admit(self) -> None:
        while self._waiting and len(self._running) < self.slots:
            asked = self._waiting.popleft()
            try:
                answer = self._prepare(asked)
            except Exception:
                log.exception("generation %s could not be prepared", asked.request.generation_id)
                self._append_end(asked.request, len(asked.emitted), Reason.FAILED, ErrorCode.ENGINE)
                continue
            if answer.max_new < 1:
                self._append_end(asked.request, answer.made, Reason.FAILED, ErrorCode.TOO_LONG, answer)
                continue
            self._running[asked.request.generation_id] = answer
            self._schedule(answer)

    def _prepare(self, asked: Submit) -> Answer:
        request = asked.request
        script = script_of(request).after(
            request.messages[-1]["content"] if continues_answer(request.messages) else ""
        )
        if request.thought:
            script = script.within(request.thought)
        if request.effort == EFFORTS[0]:
            script = replace(script, words=script.words[script.thoughts :], thoughts=0)
        if request.run:
            script = script.shouted()
        pieces = [word.encode("utf-8", "replace") for word in script.words]
        size = len(script.words) if script.fault else len(request.messages[-1]["content"].split())
        room = request.context_within(self.context) - size
        now = time.monotonic()
        return Answer(
            request=request,
            script=script,
            stream=TextStream(
                lambda token, first: pieces[token],
                stop=request.stop,
                rules=compile_rules(request.rules),
                hold_back=request.hold_back,
                emitted=asked.emitted,
            ),
            prompt_tokens=_words_of(request.messages),
            left_out=_left_out(request, request.context_within(self.context)),
            max_new=request.max_new_tokens if room >= min(request.max_new_tokens, LEAST_ANSWER) else 0,
            made=len(asked.emitted),
            due=now,
            started=now,
        )

    def _schedule(self, answer: Answer) -> None:
        heapq.heappush(self._agenda, (answer.due, next(self._order), answer))

    def _advance(self, answer: Answer, soon: float) -> None:
        """Generates the words of one answer that are due before `soon`."""
        try:
            self._break(answer.script.fault)
            reason = self._speak(answer, soon)
        except MemoryError:
            self._end(answer, Reason.FAILED, ErrorCode.OUT_OF_MEMORY)
        except FloatingPointError:
            self._end(answer, Reason.FAILED, ErrorCode.NAN)
        except ArithmeticError:
            log.exception("engine step failed")
            self._end(answer, Reason.FAILED, ErrorCode.ENGINE)
        else:
            if reason:
                self._end(answer, reason)
            elif answer.is_cut:
                self._give_back(answer)
            else:
                self._append_piece(answer)
                self._schedule(answer)

    def _give_back(self, answer: Answer) -> None:
        """Does what an engine does whose server broke off (inference/servers/answering.py)."""
        request = answer.request
        if request.run >= MOST_RESTARTS:
            self._end(answer, Reason.FAILED, ErrorCode.SERVER_CUT)
            return
        self._running.pop(request.generation_id)
        self._append_piece(answer)
        self._events.append(GivenBack(request.generation_id, request.attempt, answer.stream.seq))

    def _break(self, fault: str) -> None:
        """Fails in the way the script demands, if it does."""
        if fault == "poison:":
            os.kill(os.getpid(), signal.SIGKILL)
        elif fault == "oom:":
            raise MemoryError("the script asks for it")
        elif fault == "nan:":
            raise FloatingPointError("the script asks for it")
        elif fault == "raise:":
            raise ZeroDivisionError("the script asks for it")
        elif fault == "hang:":
            self._released.wait()

    def _speak(self, answer: Answer, soon: float) -> Reason | None:
        """Adds the words due before `soon`; returns the reason for which the answer ends, or None."""
        for _ in range(AT_ONCE):
            if answer.made >= min(len(answer.script.words), answer.max_new):
                if answer.made < len(answer.script.words):
                    return Reason.LENGTH
                return Reason.CALLS if answer.script.calls else Reason.STOP
            if answer.due > soon or answer.is_cut:
                return None
            reason = answer.stream.push(answer.made)
            answer.made += 1
            self._counted["tokens"] += 1
            answer.due = max(answer.due + answer.script.interval, soon - MOST_BEHIND)
            if reason:
                return reason
        return None

    def _append_piece(self, answer: Answer) -> None:
        piece, asked = answer.stream.take(), answer.request
        if piece:
            self._events += [
                Delta(asked.generation_id, asked.attempt, each) for each in divided(piece, answer.script)
            ]

    def _end(self, answer: Answer, reason: Reason, error: str = "") -> None:
        self._running.pop(answer.request.generation_id, None)
        reason, refused_by = answer.stream.finish(reason)
        self._append_piece(answer)
        self._append_end(answer.request, answer.stream.seq, reason, error or refused_by, answer)

    def _append_end(
        self,
        request: GenerationRequest,
        seq: int,
        reason: Reason,
        error: str = "",
        answer: Answer | None = None,
    ) -> None:
        script = answer.script if answer else Script(())
        prompt, completion = script.usage or (answer.prompt_tokens if answer else 0, None)
        self._events.append(
            Ended(
                request.generation_id,
                request.attempt,
                seq,
                reason,
                error=str(error),
                prompt_tokens=prompt,
                left_out=answer.left_out if answer else 0,
                fingerprint=self.fingerprint,
                decode_ms=round((time.monotonic() - answer.started) * 1000) if answer else 0,
                completion_tokens=completion,
                estimated=script.is_estimated,
            )
        )
