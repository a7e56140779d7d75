"""Makes the body of a chat completion from a GenerationRequest.

Only what every server knows is sent without asking; each extension only to a server that accepted it in the
trial (probe.py). Sources: OpenAI's API reference, vLLM's and SGLang's protocol, llama.cpp's server README.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference.contract import GenerationRequest, Sampling
from inference.text.alternate import in_words
from inference.text.prompt import continues_answer

MOST_STOPS = 4  # OpenAI's limit; text/detokenize.py stops at all of them in any case
SEED_BITS = 31  # llama.cpp reads 32 bits and takes -1 as "random"
BACKGROUND_PRIORITY = 1  # vLLM serves lower numbers first; replies have 0

# Name of each sampling extension by the field of contract.Sampling. All have a value that means "off".
EXTENSIONS = {"top_k": "top_k", "min_p": "min_p", "repetition": "repetition_penalty"}
OFF = Sampling()


@dataclass(frozen=True, slots=True)
class Accepted:
    """Holds what a server accepts beyond OpenAI's parameters; found by trial, so nothing is assumed."""

    usage: bool = True  # stream_options.include_usage
    fields: frozenset[str] = frozenset()  # "top_k", "min_p", "repetition_penalty", "priority", "request_id" …
    prefix: str = ""  # how an answer is continued: "" not at all, "last" the last message, "flag" with flags
    tools: bool = False  # it answers with calls of tools
    images: bool = False  # it sees images
    thoughts: str = ""  # the field in which it reads what a step thought that called tools; "": it reads none
    efforts: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict
    )  # fields of the body for each effort


def completion_body(
    request: GenerationRequest,
    messages: Sequence[dict[str, Any]],
    *,
    model: str,
    max_tokens: int,
    accepted: Accepted,
    request_id: str = "",
    background: bool = False,
) -> dict[str, Any]:
    """Returns the JSON body for `messages`, which fit the context; an answer at their end is continued."""
    images = {each["id"]: each for each in request.images} if accepted.images else {}
    body: dict[str, Any] = {
        "model": model,
        "messages": [
            _message(each, images, accepted.thoughts)
            for each in (messages if accepted.tools else in_words(messages))
        ],
        "stream": True,
        "max_tokens": max_tokens,
        "temperature": request.sampling.temperature,
        "top_p": request.sampling.top_p,
        "seed": request.seed & (2**SEED_BITS - 1),
    }
    if accepted.usage:
        body["stream_options"] = {"include_usage": True}
    if request.stop:
        body["stop"] = list(request.stop[:MOST_STOPS])
    for name in ("presence", "frequency"):
        if getattr(request.sampling, name):
            body[f"{name}_penalty"] = getattr(request.sampling, name)
    for parameter, name in EXTENSIONS.items():
        value = getattr(request.sampling, parameter)
        if name in accepted.fields and value != getattr(OFF, parameter):
            body[name] = value
    extras = {
        "request_id": request_id,
        "cache_salt": request.user_key,  # opaque; nobody's prompt can be guessed by the speed of another's
        "priority": BACKGROUND_PRIORITY if background else 0,
    }
    body |= {name: value for name, value in extras.items() if name in accepted.fields and value}
    if request.tools and accepted.tools:
        body["tools"] = [{"type": "function", "function": tool} for tool in request.tools]
        if not request.may_call:
            body["tool_choice"] = "none"
    body |= accepted.efforts.get(request.effort, {})
    if continues_answer(messages) and accepted.prefix == "flag":
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    return body


def _message(
    message: dict[str, Any], images: Mapping[str, Mapping[str, str]], thoughts: str
) -> dict[str, Any]:
    if message["role"] == "tool":
        return {"role": "tool", "tool_call_id": message["call"], "content": message["content"]}
    seen = [images[each["id"]] for each in message.get("images", []) if each["id"] in images]
    if seen:
        return {"role": message["role"], "content": content_with_images(message["content"], seen)}
    said = {"role": message["role"], "content": message["content"]}
    if not message.get("calls"):
        return said
    calls = [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": call["arguments"]},
        }
        for call in message["calls"]
    ]
    thought = {thoughts: message["thought"]} if thoughts and message.get("thought") else {}
    return {**said, **thought, "tool_calls": calls}


def content_with_images(text: str, images: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Returns the parts of a question: its images, then its text, in which their names are."""
    urls = [f"data:image/{each['type']};base64,{each['data']}" for each in images]
    return [
        *({"type": "image_url", "image_url": {"url": url}} for url in urls),
        {"type": "text", "text": text},
    ]
