"""Keeping personas and instructions, choosing how a conversation is answered, and what the model is told."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.models import Conversation
from chat.core.entry_points import check_text
from chat.core.errors import BadInput
from chat.core.text import estimate_tokens, grouped, one_line, trimmed
from chat.voice import signals
from chat.voice.access import persona_for, personas_offered
from chat.voice.models import (
    INSTRUCTION_CHARS,
    PERSONA_CHARS,
    PROMPT_CHARS,
    Instructions,
    Manner,
    Persona,
    Prompt,
)
from chat.voice.sampling import BOUNDS, USUAL, as_json, checked

PERSONAS = 50  # of one person
PROMPTS = 200


# --- Texts ------------------------------------------------------------------------------------------------


def tidy(text: str) -> str:
    """As it is kept: without NUL, without space around it, and empty if nothing in it can be seen."""
    return trimmed(text.replace("\r\n", "\n").replace("\x00", ""))


def clean_text(entry_point: str, text: str, limit: int) -> str:
    """As a message's: text without NUL, and nothing that a rule of the site forbids."""
    text = tidy(text)
    if len(text) > limit:
        words = _("This text has %(length)s characters; it may have %(limit)s.")
        raise BadInput(words % {"length": grouped(len(text)), "limit": grouped(limit)})
    check_text(entry_point, text)
    return text


def clean_name(entry_point: str, name: str, limit: int = 60) -> str:
    name = one_line(name)
    if not name:
        raise BadInput(_("Please write a name."))
    if len(name) > limit:
        raise BadInput(_("The name is longer than %d characters.") % limit)
    check_text(entry_point, name)
    return name


# --- Personas and instructions ----------------------------------------------------------------------------


def save_persona(*, owner: User, name: str, prompt: str, persona: Persona | None = None) -> Persona:
    """A new one, or other words for one of theirs (the caller went through the door)."""
    if persona is None and Persona.objects.filter(owner=owner).count() >= PERSONAS:
        raise BadInput(_("You can keep at most %d personas.") % PERSONAS)
    persona = persona or Persona(owner=owner)
    persona.name = clean_name("persona", name)
    persona.prompt = clean_text("persona", prompt, PERSONA_CHARS)
    if not persona.prompt:
        raise BadInput(_("Please write what the model should be told."))
    persona.save()
    return persona


def save_prompt(*, owner: User, name: str, text: str, prompt: Prompt | None = None) -> Prompt:
    if prompt is None and Prompt.objects.filter(owner=owner).count() >= PROMPTS:
        raise BadInput(_("You can keep at most %d prompts.") % PROMPTS)
    prompt = prompt or Prompt(owner=owner)
    prompt.name = clean_name("prompt", name)
    prompt.text = clean_text("prompt", text, PROMPT_CHARS)
    if not prompt.text:
        raise BadInput(_("Please write the text of the prompt."))
    prompt.save()
    return prompt


def prompts_json(user: User) -> list[dict[str, Any]]:
    found = Prompt.objects.filter(owner=user)
    return [{"id": str(each.pk), "name": each.name, "text": each.text} for each in found]


def instructions_of(user: User) -> Instructions:
    return Instructions.objects.filter(user=user).first() or Instructions(user=user)


def save_instructions(*, user: User, about: str, manner: str, active: bool) -> None:
    kept = {
        "about": clean_text("instructions", about, INSTRUCTION_CHARS),
        "manner": clean_text("instructions", manner, INSTRUCTION_CHARS),
        "active": active,
    }
    Instructions.objects.update_or_create(user=user, defaults=kept)


# --- A conversation's -------------------------------------------------------------------------------------


def manner_of(conversation: Conversation) -> Manner:
    """One that is not stored where nothing was chosen."""
    kept = Manner.objects.filter(conversation=conversation).first()  # few have one, fewer a persona
    return kept or Manner(conversation=conversation)


@transaction.atomic
def choose(conversation: Conversation, **choices: Any) -> None:
    """For the answers to come: `persona` and `settings`, as choices_of gives them."""
    begin_with(conversation, **choices)
    transaction.on_commit(
        lambda: signals.manner_changed.send_robust(Manner, conversation=conversation), robust=True
    )


def begin_with(conversation: Conversation, **choices: Any) -> None:
    """As `choose`, for a conversation that nobody has open yet."""
    Manner.objects.update_or_create(conversation=conversation, defaults=choices)


def choices_of(user: User, told: dict[str, Any]) -> dict[str, Any]:
    """Arguments for `choose`: `persona` (an id, or null for none) and `settings`, each optional."""
    if set(told) - {"persona", "settings"}:
        raise BadInput(_("A manner of answering has a persona and settings."))
    chosen: dict[str, Any] = {}
    if "persona" in told:
        chosen["persona"] = None if told["persona"] is None else persona_for(user, told["persona"])
    if "settings" in told:
        if not isinstance(told["settings"], dict):
            raise BadInput(_("The settings must be an object."))
        chosen["settings"] = checked(
            {name: each for name, each in told["settings"].items() if each is not None}
        )
    return chosen


def system_text(user: User, persona: Persona | None) -> str:
    """The system message: the persona, then what the person wants known. Empty without either."""
    parts = [persona.prompt] if persona else []
    told = instructions_of(user)
    if told.active and told.about:
        parts.append(_("About the person you are talking with:") + "\n" + told.about)
    if told.active and told.manner:
        parts.append(_("How they would like you to answer:") + "\n" + told.manner)
    return "\n\n".join(parts)


# --- As JSON ----------------------------------------------------------------------------------------------


def persona_json(persona: Persona) -> dict[str, Any]:
    return {
        "id": str(persona.pk),
        "name": persona.name,
        "own": persona.owner_id is not None,
        "tokens": estimate_tokens(persona.prompt),
    }


def offers_json(user: User) -> dict[str, Any]:
    """What the page offers: personas, the bounds of settings, how much instructions take of the context."""
    told = system_text(user, None)
    return {
        "personas": [persona_json(each) for each in personas_offered(user)],
        "instructions": estimate_tokens(told) if told else 0,
        "prompts": Prompt.objects.filter(owner=user).exists(),
        "bounds": {name: [each.lowest, each.highest] for name, each in BOUNDS.items() if name != "seed"},
        "usual": USUAL,
    }


def manner_json(conversation: Conversation) -> dict[str, Any]:
    manner = manner_of(conversation)
    persona = persona_json(manner.persona) if manner.persona else None
    return {"manner": {"persona": persona, "settings": as_json(manner.settings)}}
