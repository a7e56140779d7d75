"""The unfinished thought of an answer that was cut within it, and the reply that continues it.

Its model goes on inside the thought where it resumes exactly. Any other begins the answer again, and the page
says so (docs/live-path.md, "Runs").
"""

from __future__ import annotations

from typing import Any

import msgspec

from chat.conversations.models import Message
from chat.model_cards.capabilities import capabilities_of
from chat.model_cards.models import ModelCard
from chat.turns.models import Generation, Part, Status
from chat.turns.parts import parts_json
from inference.contract import Kind, Reason, Resume

CUT = (Status.STOPPED, Status.FAILED)


def cut_thought(answer: Message) -> Part | None:
    """Returns the thought within which an answer was cut, as the part of a reply that continues it, not
    stored; None where there is none.

    What stands in an answer's text was written after its thoughts, and is continued from there. A reply of
    several steps is not continued within a later one: its calls would be lost.
    """
    steps = list(Generation.objects.steps_of(answer).prefetch_related("parts"))
    if answer.text or len(steps) != 1 or not (steps[0].status in CUT or steps[0].reason == Reason.LENGTH):
        return None
    parts = parts_json(steps)
    if not parts or any(part["kind"] != Kind.THOUGHT for part in parts):
        return None
    text = "".join(part["text"] for part in parts)
    spent = sum(part.get("duration_ms", 0) for part in parts)
    return Part(order=0, kind=Kind.THOUGHT, text=text, offset=0, after=0, seq=0, duration_ms=spent)


def can_continue(model: ModelCard | str) -> bool:
    """Returns whether a model goes on inside a thought that another reply began."""
    capabilities = capabilities_of(model)
    return capabilities.reasoning and capabilities.resume is Resume.EXACT


def store_continued(generation: Generation, thought: Part) -> None:
    thought.generation = generation
    thought.save(force_insert=True)


def fields_of_new_run(generation: Generation) -> dict[str, Any]:
    """Returns the fields of a row that change where its step starts again: without the thought that it
    continued, if the workers that its model has by now cannot go on inside it."""
    if not generation.has_parts or can_continue(generation.model):
        return {}
    generation.has_parts = False
    generation.parameters = msgspec.structs.replace(generation.parameters, began_again=True)
    return {"has_parts": False, "parameters": generation.parameters}


def delete_if_forgotten(generation: Generation) -> None:
    """Deletes the thought of a live row that no longer continues it."""
    if not generation.has_parts and generation.parameters.began_again:
        Part.objects.filter(generation=generation, seq=0).delete()


def continued_thought(generation: Generation) -> str:
    """Returns the thought that a step begins with; "" for most."""
    if not generation.has_parts:
        return ""
    parts = Part.objects.filter(generation=generation, seq=0)
    return parts.values_list("text", flat=True).first() or ""
