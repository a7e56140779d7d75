"""Saves personas, instructions, prompts and settings of conversations; composes the system message."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.models import Conversation
from chat.core.entry_points import check_text
from chat.core.errors import BadInput
from chat.core.text import estimate_tokens, grouped, one_line, trimmed
from chat.model_cards.bounds import BOUNDS
from chat.personas import signals
from chat.personas.access import default_personas, persona_for, personas_offered
from chat.personas.models import (
    INSTRUCTION_CHARS,
    PERSONA_CHARS,
    PROMPT_CHARS,
    ConversationSettings,
    CustomInstructions,
    Persona,
    SavedPrompt,
)
from chat.personas.new_chats import preferred_persona
from chat.personas.sampling import DEFAULTS, parse_settings, settings_json

MAX_PERSONAS = 50  # of one user
MAX_PROMPTS = 200


# --- Texts ------------------------------------------------------------------------------------------------


def normalize(text: str) -> str:
    """Returns the text as it is stored: without NUL and outer space; empty if nothing in it is visible."""
    return trimmed(text.replace("\r\n", "\n").replace("\x00", ""))


def clean_text(entry_point: str, text: str, limit: int) -> str:
    """Returns the text as stored. Raises BadInput if it is too long, RefusedByRule if a rule matches."""
    text = normalize(text)
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
    """Makes a persona, or changes one that the caller checked to be the owner's."""
    if persona is None and Persona.objects.filter(owner=owner).count() >= MAX_PERSONAS:
        raise BadInput(_("You can keep at most %d personas.") % MAX_PERSONAS)
    persona = persona or Persona(owner=owner)
    persona.name = clean_name("persona", name)
    persona.prompt = clean_text("persona", prompt, PERSONA_CHARS)
    if not persona.prompt:
        raise BadInput(_("Please write what the model should be told."))
    persona.save()
    return persona


def save_prompt(*, owner: User, name: str, text: str, prompt: SavedPrompt | None = None) -> SavedPrompt:
    if prompt is None and SavedPrompt.objects.filter(owner=owner).count() >= MAX_PROMPTS:
        raise BadInput(_("You can keep at most %d prompts.") % MAX_PROMPTS)
    prompt = prompt or SavedPrompt(owner=owner)
    prompt.name = clean_name("prompt", name)
    prompt.text = clean_text("prompt", text, PROMPT_CHARS)
    if not prompt.text:
        raise BadInput(_("Please write the text of the prompt."))
    prompt.save()
    return prompt


def delete_persona(persona: Persona) -> None:
    """Conversations that have it continue without one."""
    persona.delete()


def delete_prompt(prompt: SavedPrompt) -> None:
    prompt.delete()


def prompts_json(user: User) -> list[dict[str, Any]]:
    found = SavedPrompt.objects.filter(owner=user)
    return [{"id": str(each.pk), "name": each.name, "text": each.text} for each in found]


def get_custom_instructions(user: User) -> CustomInstructions:
    return CustomInstructions.objects.filter(user=user).first() or CustomInstructions(user=user)


def save_custom_instructions(
    *, user: User, about: str, style: str, active: bool, compact: bool | None = None
) -> None:
    """Saves the texts, and whether long conversations are summarised; None: as it was."""
    fields = {
        "about": clean_text("instructions", about, INSTRUCTION_CHARS),
        "style": clean_text("instructions", style, INSTRUCTION_CHARS),
        "active": active,
        **({} if compact is None else {"compact": compact}),
    }
    CustomInstructions.objects.update_or_create(user=user, defaults=fields)


# --- Conversations --------------------------------------------------------------------------------------


def get_conversation_settings(conversation: Conversation) -> ConversationSettings:
    """Returns the settings of a conversation; an unsaved row where nothing was chosen."""
    stored = ConversationSettings.objects.filter(conversation=conversation).first()  # few have a row
    return stored or ConversationSettings(conversation=conversation)


@transaction.atomic
def update_conversation_settings(conversation: Conversation, **choices: Any) -> None:
    """Sets the persona and the settings of later answers (parse_conversation_settings); updates pages."""
    set_conversation_settings(conversation, **choices)
    transaction.on_commit(
        lambda: signals.conversation_settings_changed.send_robust(
            ConversationSettings, conversation=conversation
        ),
        robust=True,
    )


def set_conversation_settings(conversation: Conversation, **choices: Any) -> None:
    """Sets them for a new conversation, which no page has open yet."""
    ConversationSettings.objects.update_or_create(conversation=conversation, defaults=choices)


def parse_conversation_settings(user: User, data: dict[str, Any]) -> dict[str, Any]:
    """Returns `persona` and `settings` from a request, each optional; a null persona means none."""
    if set(data) - {"persona", "settings"}:
        raise BadInput(_("The settings of a conversation are `persona` and `settings`."))
    chosen: dict[str, Any] = {}
    if "persona" in data:
        chosen["persona"] = None if data["persona"] is None else persona_for(user, data["persona"])
    if "settings" in data:
        if not isinstance(data["settings"], dict):
            raise BadInput(_("The settings must be an object."))
        chosen["settings"] = parse_settings(
            {name: each for name, each in data["settings"].items() if each is not None}
        )
    return chosen


def system_text(user: User, persona: Persona | None) -> str:
    """Returns the system message: the persona, then the custom instructions. Empty without either."""
    parts = [persona.prompt] if persona else []
    instructions = get_custom_instructions(user)
    if instructions.active and instructions.about:
        parts.append(_("About the person you are talking with:") + "\n" + instructions.about)
    if instructions.active and instructions.style:
        parts.append(_("How they would like you to answer:") + "\n" + instructions.style)
    return "\n\n".join(parts)


# --- As JSON ----------------------------------------------------------------------------------------------


def persona_json(persona: Persona) -> dict[str, Any]:
    return {
        "id": str(persona.pk),
        "name": persona.name,
        "own": persona.owner_id is not None,
        "tokens": estimate_tokens(persona.prompt),
    }


def page_json(user: User) -> dict[str, Any]:
    """Returns personas, bounds and defaults of settings, and the tokens of the instructions, for the page."""
    instructions = system_text(user, None)
    preferred = preferred_persona(user)
    return {
        "personas": [persona_json(each) for each in personas_offered(user)],
        "instructions": estimate_tokens(instructions) if instructions else 0,
        "preferred": persona_json(preferred) if preferred else None,
        "of_models": {slug: persona_json(each) for slug, each in default_personas().items()},
        "prompts": SavedPrompt.objects.filter(owner=user).exists(),
        "bounds": {name: [each.lowest, each.highest] for name, each in BOUNDS.items() if name != "seed"},
        "usual": DEFAULTS,
    }


def conversation_settings_json(conversation: Conversation) -> dict[str, Any]:
    stored = get_conversation_settings(conversation)
    persona = persona_json(stored.persona) if stored.persona else None
    return {"conversation_settings": {"persona": persona, "settings": settings_json(stored.settings)}}
