"""The messages that a model reads for one reply: a function of rows, the same for every attempt."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from chat.conversations.models import Message, Role
from chat.conversations.tree import BRANCH_MESSAGES, ids_to, read_messages, texts_and_pins
from chat.core.errors import BadInput
from chat.core.text import estimate_tokens
from chat.files import prompt_text
from chat.files.prompt_images import Selected, select_images
from chat.turns import summaries
from chat.turns.called_steps import messages_of
from chat.turns.frozen_prompt import FrozenPrompt, digest
from chat.turns.models import Generation, Summary
from chat.turns.pinned_turns import turns_with
from inference.contract import tokens_of_image
from inference.text.alternate import SILENCE, alternate, separate

HISTORY_MESSAGES = 400  # the worker keeps what fits; this bounds the reading
FIRST_ATTEMPT = FrozenPrompt()
SUMMARY_INTRODUCTION = (
    "Summary of the earlier part of this conversation, whose messages are left out here. It reports what "
    "was said; it gives no instructions.\n\n"
)
SUMMARY_QUESTION = (
    "Summarise our conversation so far, so that it can go on without the messages above: names, numbers, "
    "facts, decisions, what I asked you to keep in mind, and what is still open. Include what an earlier "
    "summary says. Write plain text of at most {words} words in the language of the conversation. Answer "
    "with the summary alone."
)
Prompt = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class BuiltPrompt:
    """Holds the messages of a prompt, none if its question is hidden, and what the row stores of them.
    `read` are the messages of the branch that it is made of, with their texts."""

    messages: Prompt
    frozen: FrozenPrompt
    read: Sequence[tuple[Message, str]] = ()

    def differs_from(self, earlier: FrozenPrompt) -> bool:
        """Returns whether an earlier attempt read something else, as far as its row knows."""
        return bool(earlier.sha256) and self.frozen.sha256 != earlier.sha256


def build_prompt(
    question: Message,
    prefix: str = "",
    system: str = "",
    *,
    content: str | None = None,
    frozen: FrozenPrompt = FIRST_ATTEMPT,
    steps: Prompt | None = None,
    sees: bool = False,
    context: int | None = None,
    is_answered: bool = False,
) -> BuiltPrompt:
    """Returns the system message, the branch up to and including `question`, and `prefix`, with which the
    answer begins, in an order that every chat template renders (inference/text/alternate.py).

    `content` is the question's text with its files, where the caller has just composed it. A message that
    moderation hid has no text here; one that was hidden when `frozen` was made has none either. `steps` are
    the messages of earlier steps of the answer. `sees`: the model sees images; for a later attempt, `frozen`
    says whether it did. `context` is that of the model; without it, that of the conversation's model counts.
    `is_answered`: `question` ends the branch that a next question will read, so a summary may cover it too.
    """
    if question.hidden_at is not None:
        return BuiltPrompt([], FIRST_ATTEMPT)
    history = _history(question, frozen, context, is_answered=is_answered)
    hidden = history.hidden | set(frozen.left_out)
    texts = {} if content is None else {question.pk: content}
    missing = [each for each in history.read if each.pk not in hidden and each.pk not in texts]
    if missing:
        texts |= prompt_text.contents(missing)
    sees = frozen.sees if frozen.messages else sees
    images = select_images(history.read, texts, sees=sees)
    prompt = [{"role": Role.SYSTEM, "content": system}] if system else []
    begun = [{"role": Role.ASSISTANT, "content": prefix}] if prefix else []
    messages = alternate([*prompt, *_said_in(history, texts, images), *(steps or begun)])
    summary = history.summary
    return BuiltPrompt(
        messages,
        FrozenPrompt(
            messages=history.length,
            left_out=tuple(pk for pk in history.branch if pk in hidden),
            pinned=tuple(pk for pk in history.branch if pk in history.pins),
            summary=summary.pk if summary else None,
            sha256=digest(messages),
            sees=sees,
            images=images.number,
            images_left_out=images.left_out,
        ),
        [(message, texts.get(message.pk, "")) for message in history.read],
    )


@dataclass(frozen=True, slots=True)
class _History:
    """Holds what a prompt is made of: the branch, the summary of its beginning, and the messages to read."""

    branch: Sequence[UUID]  # as far as anything of it matters
    length: int  # messages that may be read
    pins: Collection[UUID]
    hidden: set[UUID]
    summary: Summary | None
    kept: Sequence[Message]  # pinned turns above `rest`
    rest: Sequence[Message]

    @property
    def read(self) -> list[Message]:
        return [*self.kept, *self.rest]


def _history(question: Message, frozen: FrozenPrompt, context: int | None, *, is_answered: bool) -> _History:
    path, pins = texts_and_pins(question, frozen.messages or HISTORY_MESSAGES)
    if frozen.messages:
        pins = set(frozen.pinned)
        branch = _branch(path, {*pins, *frozen.left_out})
        summary = summaries.named(frozen.summary, question.conversation_id)
    else:
        latest = summaries.latest_in(question.conversation_id) if len(path) > 2 - is_answered else {}
        branch = _branch(path, {*pins, *latest})
        above = branch if is_answered else branch[:-1]
        summary = summaries.in_use(latest, above, question, context)
    rest = summaries.after(summary, path)
    kept = turns_with(pins, branch[: len(branch) - len(rest)]) if pins else []
    hidden = {message.pk for message in [*kept, *path] if message.hidden_at is not None}
    return _History(branch, len(path), pins, hidden, summary, kept, rest)


def _said_in(history: _History, texts: Mapping[UUID, str], images: Selected) -> Prompt:
    """Returns the messages of the branch, its summary first.

    SILENCE stands between pinned turns and an answer whose question is not read: it is no part of them.
    """
    summary = history.summary
    said = [{"role": Role.SYSTEM, "content": SUMMARY_INTRODUCTION + summary.text}] if summary else []
    said += [_said(each, texts.get(each.pk, ""), images, history.pins) for each in history.kept]
    if history.kept and history.rest and history.rest[0].role == Role.ASSISTANT:
        said.append({"role": Role.USER, "content": SILENCE})
    return said + [_said(each, texts.get(each.pk, ""), images, history.pins) for each in history.rest]


def _branch(path: Sequence[Message], wanted: Collection[UUID]) -> list[UUID]:
    """Returns the ids of a path; those of its whole branch where some that are wanted may be above it."""
    ids = [message.pk for message in path]
    if len(path) < HISTORY_MESSAGES or set(wanted).issubset(ids):
        return ids
    return ids_to(path[-1], BRANCH_MESSAGES)


def _said(message: Message, content: str, images: Selected, pins: Collection[UUID]) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role, "content": content}
    if message.pk in pins:
        said["pinned"] = True
    shown = images.by_message.get(message.pk)
    return {**said, "images": shown} if shown else said


def prompt_of(question: Message, prefix: str = "", system: str = "", *, sees: bool = False) -> Prompt:
    """Returns the messages that an answer to `question` would read now."""
    return build_prompt(question, prefix, system, sees=sees).messages


def estimate_prompt(messages: Prompt) -> int:
    """Estimates the tokens of a prompt, with those of its images and of the thoughts of earlier steps."""
    images = [image for message in messages for image in message.get("images", [])]
    texts = (message[part] for message in messages for part in ("content", "thought") if part in message)
    words = sum(map(estimate_tokens, texts))
    return words + sum(tokens_of_image(each["width"], each["height"]) for each in images)


def prompt_of_summary(last: Message, system: str, words: int, context: int) -> Prompt:
    """Returns the branch up to and including `last`, after an earlier summary, and the question for one.
    Raises BadInput for more messages than a prompt has."""
    branch = ids_to(last, BRANCH_MESSAGES)
    summary = summaries.in_use(summaries.latest_in(last.conversation_id), branch[:-1], last, context)
    ids = summaries.ids_after(summary, branch)
    if len(ids) > HISTORY_MESSAGES:
        raise too_long_to_summarise()
    rest = [message for message in read_messages(ids) if message.hidden_at is None]
    texts = prompt_text.contents(rest)
    prompt = [{"role": Role.SYSTEM, "content": system}] if system else []
    prompt += [{"role": Role.SYSTEM, "content": SUMMARY_INTRODUCTION + summary.text}] if summary else []
    prompt += [{"role": message.role, "content": texts[message.pk]} for message in rest]
    prompt.append({"role": Role.USER, "content": SUMMARY_QUESTION.format(words=words)})
    return alternate(prompt)


def too_long_to_summarise() -> BadInput:
    return BadInput(_("This is too long to be summarised at once. Summarise up to an earlier answer."))


def separate_questions(messages: Prompt) -> Prompt:
    """Returns the messages with joined questions apart, as the branch has them."""
    return separate(messages)


def _frozen_of(later: Generation) -> FrozenPrompt:
    """Returns what a later step's prompt is made of: what the step before it read, until it has its own."""
    own: FrozenPrompt = later.prompt
    if own.messages:
        return own
    before: FrozenPrompt = (
        Generation.objects.only("prompt").get(message=later.message_id, step=later.step - 1).prompt
    )
    return before


def prompt_for(generation: Generation) -> BuiltPrompt:
    """Returns the prompt of a reply that waits or runs: that of its first attempt, without what was hidden
    since. Its message holds the text that it continues."""
    message = generation.message
    assert message.parent is not None
    system = generation.parameters.system
    if generation.step:
        earlier = messages_of(generation)
        return build_prompt(message.parent, "", system, frozen=_frozen_of(generation), steps=earlier)
    return build_prompt(message.parent, message.text, system, frozen=generation.prompt)
