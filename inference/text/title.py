"""Makes the request for the title of a conversation."""

from __future__ import annotations

import dataclasses

from inference.contract import GenerationRequest, Sampling
from inference.text.alternate import calls_or_result
from inference.text.prompt import continues_answer

PREFIX = "title-"  # of the ids of such requests
MOST_TOKENS = 24
QUESTION = (
    "Write a title for this conversation: two to six words, in the language of my question, without "
    "quotation marks. Answer with the title alone."
)
# A token has at least one byte, but for a handful of marks around messages.
ROOM = MOST_TOKENS + len(QUESTION) + 32


def title_request(asked: GenerationRequest, answer: str, effort: str = "") -> GenerationRequest:
    """Returns the conversation with its answer and one more question: the cache holds nearly all of it. Calls
    of tools and their results are left out.

    `effort`: the least thinking that the model can be asked for.
    """
    *before, last = (each for each in asked.messages if not calls_or_result(each))
    if continues_answer(asked.messages):
        answer = last["content"] + answer
    else:
        before.append(last)
    return dataclasses.replace(
        asked,
        generation_id=PREFIX + asked.generation_id,
        attempt=1,
        messages=(
            *before,
            {"role": "assistant", "content": answer},
            {"role": "user", "content": QUESTION},
        ),
        max_new_tokens=MOST_TOKENS,
        sampling=Sampling(temperature=0.0),
        stop=("\n",),
        title=False,
        effort=effort,
        thought="",
        logprobs=None,
        tools=(),
        may_call=True,
    )
