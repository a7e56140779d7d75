"""Rebuilds the prompt that a settled step was asked with, for the details of its answer.

A step stores what its prompt consisted of and its hash, not its text (frozen_prompt.py). What has been hidden
or deleted since cannot be shown; then the hash differs, and the page says so.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from chat.conversations.models import Message, Role
from chat.core.errors import BadInput
from chat.turns.called_steps import messages_of
from chat.turns.continued_thought import continued_thought
from chat.turns.models import Generation
from chat.turns.prompts import BuiltPrompt, Prompt, build_prompt, separate_questions
from inference.contract import count_thoughts, without_thoughts


def sent_prompt(message: Message) -> dict[str, Any] | None:
    """Returns the prompt of an answer's last step as pages show it; None where that is not known, as for an
    imported answer. Raises BadInput for a message that is no answer.

    `exact`: its hash is that of the prompt which was sent, and it has the thoughts that were sent. Where the
    worker did not report whether they were, none are shown, and it is not exact if there may have been some.
    `left_out`: so many of its oldest turns did not fit. `images_left_out`: so many images of the branch were
    not sent.
    """
    if message.role != Role.ASSISTANT or message.parent is None:
        raise BadInput(_("That message is not a reply."))
    step = Generation.objects.steps_of(message).last()
    if step is None or not step.prompt.sha256:
        return None
    built, begun = _rebuilt(step, message), continued_thought(step)
    sent = step.prompt.thoughts
    messages = built.messages if sent else without_thoughts(built.messages)
    thoughts = count_thoughts(built.messages if sent is None else messages)
    is_whole = thoughts == (sent or 0) and not (begun and message.hidden_at)
    shown = _shown(step, messages)
    if begun and not message.hidden_at:
        shown.append({"role": str(Role.ASSISTANT), "text": "", "shown": True, "thought": begun})
    return {
        "messages": shown,
        "exact": is_whole and built.frozen.sha256 == step.prompt.sha256,
        "left_out": step.turns_left_out,
        "images": step.prompt.images,
        "images_left_out": step.prompt.images_left_out,
    }


def _rebuilt(step: Generation, message: Message) -> BuiltPrompt:
    assert message.parent is not None
    step.message = message
    if step.step:
        earlier = [] if message.hidden_at else messages_of(step)
        return build_prompt(message.parent, "", step.parameters.system, frozen=step.prompt, steps=earlier)
    begun = "" if message.hidden_at else message.text[: step.parameters.prefix_characters]
    return build_prompt(message.parent, begun, step.parameters.system, frozen=step.prompt)


def _shown(step: Generation, messages: Prompt) -> list[dict[str, Any]]:
    """Returns the messages in order; text of the staff has `shown` false and is empty."""
    shown: list[dict[str, Any]] = []
    system = step.parameters.system
    if system:
        own = _own_part(step)
        if own != system:
            shown.append({"role": Role.SYSTEM, "text": "", "shown": False})
        if own:
            shown.append({"role": Role.SYSTEM, "text": own, "shown": True})
    if messages and messages[0]["role"] == Role.SYSTEM:  # a summary, or of an import
        more = messages[0]["content"][len(system) :].strip()
        shown += [{"role": Role.SYSTEM, "text": more, "shown": True}] if more else []
    rest = [each for each in messages if each["role"] != Role.SYSTEM]
    return shown + [_message(each) for each in separate_questions(rest)]


def _message(message: dict[str, Any]) -> dict[str, Any]:
    calls = [f"{call['name']}({call['arguments']})" for call in message.get("calls", [])]
    text = "\n\n".join(part for part in (message["content"], "\n".join(calls)) if part)
    thought = {"thought": message["thought"]} if message.get("thought") else {}
    return {"role": str(message["role"]), "text": text, "shown": True, **thought}


def _own_part(step: Generation) -> str:
    """Returns what a person may read of the system text: not the words of a persona of the site, which only
    staff see. What an earlier version stored under a persona's name may be such words, and is not shown."""
    parameters = step.parameters
    system: str = parameters.system
    if parameters.site_characters is None:
        return "" if parameters.persona else system
    return system[parameters.site_characters :].strip() if parameters.site_characters else system
