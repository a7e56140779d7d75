"""The messages that a model reads for one reply: a function of rows, the same for every attempt."""

from __future__ import annotations

from chat.conversations.models import Message, Role
from chat.conversations.tree import texts_to
from chat.files import services as files
from chat.turns import port
from chat.turns.models import Generation

HISTORY_MESSAGES = 400  # the worker keeps what fits; this bounds the reading
Prompt = list[dict[str, str]]


def prompt_of(question: Message, prefix: str = "", system: str = "", *, content: str | None = None) -> Prompt:
    """Returns the system message, the branch up to and including `question`, and `prefix`, with which the
    answer begins, in an order that every chat template renders (inference/text/alternate.py).

    `content` is the question's text with its files, where the caller has just composed it. A message that
    moderation hid has no text here. Returns [] if the question itself is hidden.
    """
    if question.hidden_at is not None:
        return []
    path = texts_to(question, HISTORY_MESSAGES)
    composed = {} if content is None else {question.pk: content}
    unread = [message for message in path if message.hidden_at is None and message.pk not in composed]
    if unread:
        composed |= files.contents(unread)
    prompt = [{"role": Role.SYSTEM, "content": system}] if system else []
    prompt += [{"role": message.role, "content": composed.get(message.pk, "")} for message in path]
    return port.in_turn([*prompt, {"role": Role.ASSISTANT, "content": prefix}] if prefix else prompt)


def prompt_for(generation: Generation) -> Prompt:
    """Returns the prompt of a reply that waits or runs; its message holds the text that it continues."""
    message = generation.message
    assert message.parent is not None
    return prompt_of(message.parent, message.text, generation.parameters.system)
