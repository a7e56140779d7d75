"""Makes the scripted engine's answer to a request: its script, its stream and its limits."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from inference.contract import EFFORTS, GenerationRequest, count_thoughts
from inference.engines.script_language import Script, script_of
from inference.text.alternate import separate
from inference.text.detokenize import TextStream
from inference.text.prompt import LEAST_ANSWER, TooLong, continues_answer, fit_turns
from inference.text.reply_rules import compile_rules


@dataclass(slots=True, eq=False)
class Answer:
    """A generation under way."""

    request: GenerationRequest
    script: Script
    stream: TextStream
    prompt_tokens: int
    left_out: int  # turns
    thoughts: int  # steps whose thoughts are part of the prompt
    max_new: int
    made: int  # words generated
    due: float = 0.0  # when the next word is; time.monotonic()
    started: float = 0.0

    @property
    def is_cut(self) -> bool:
        """Returns whether the script's server has broken off."""
        words, runs = self.script.cut
        return self.request.run < runs and self.made >= words


def answer_to(request: GenerationRequest, emitted: Sequence[int], context: int) -> Answer:
    """Returns the answer that follows the tokens `emitted`; `max_new` is 0 where the prompt has no room."""
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
    room = request.context_within(context) - size
    now = time.monotonic()
    return Answer(
        request=request,
        script=script,
        stream=TextStream(
            lambda token, first: pieces[token],
            stop=request.stop,
            rules=compile_rules(request.rules),
            hold_back=request.hold_back,
            emitted=emitted,
        ),
        prompt_tokens=_words_of(request.messages),
        left_out=_left_out(request, request.context_within(context)),
        thoughts=count_thoughts(request.messages),
        max_new=request.max_new_tokens if room >= min(request.max_new_tokens, LEAST_ANSWER) else 0,
        made=len(emitted),
        due=now,
        started=now,
    )


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
